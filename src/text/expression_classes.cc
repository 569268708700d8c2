// The members of Oniguruma's classes, as PCRE2's sets write them. PCRE2's own tables may be older
// (10.42 has Unicode 14), so what came with Unicode 15 and 16 follows each property; scripts are
// written out whole, as PCRE2's names mean script extensions since 10.40. Letters and digits of
// ASCII are named again because a bitmap answers for them before a property table is asked.
#include "text/expression_classes.h"

namespace hangar {
namespace {

struct Property {
  std::string_view name;
  std::string_view members;
};

constexpr Property kProperties[] = {
    {"L", R"(A-Za-z\p{L}\x{1c89}-\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc})"
          R"(\x{105c0}-\x{105f3}\x{10d4a}-\x{10d65}\x{10d6f}-\x{10d85}\x{10ec2}-\x{10ec4})"
          R"(\x{1123f}-\x{11240}\x{11380}-\x{11389}\x{1138b}\x{1138e}\x{11390}-\x{113b5})"
          R"(\x{113b7}\x{113d1}\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10})"
          R"(\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446}\x{13460}-\x{143fa})"
          R"(\x{16100}-\x{1611d}\x{16d40}-\x{16d6c}\x{18cff}\x{1b132}\x{1b155})"
          R"(\x{1df25}-\x{1df2a}\x{1e030}-\x{1e06d}\x{1e4d0}-\x{1e4eb}\x{1e5d0}-\x{1e5ed})"
          R"(\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})"},
    {"Lu", R"(A-Z\p{Lu}\x{1c89}\x{a7cb}-\x{a7cc}\x{a7da}\x{a7dc}\x{10d50}-\x{10d65})"},
    {"Ll", R"(a-z\p{Ll}\x{1c8a}\x{a7cd}\x{a7db}\x{10d70}-\x{10d85}\x{1df25}-\x{1df2a})"},
    {"Lt", R"(\p{Lt})"},
    {"Lm", R"(\p{Lm}\x{10d4e}\x{10d6f}\x{16d40}-\x{16d42}\x{16d6b}-\x{16d6c})"
           R"(\x{1e030}-\x{1e06d}\x{1e4eb})"},
    {"Lo", R"(\p{Lo}\x{105c0}-\x{105f3}\x{10d4a}-\x{10d4d}\x{10d4f}\x{10ec2}-\x{10ec4})"
           R"(\x{1123f}-\x{11240}\x{11380}-\x{11389}\x{1138b}\x{1138e}\x{11390}-\x{113b5})"
           R"(\x{113b7}\x{113d1}\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10})"
           R"(\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446}\x{13460}-\x{143fa})"
           R"(\x{16100}-\x{1611d}\x{16d43}-\x{16d6a}\x{18cff}\x{1b132}\x{1b155})"
           R"(\x{1e4d0}-\x{1e4ea}\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d})"
           R"(\x{31350}-\x{323af})"},
    {"M", R"(\p{M}\x{897}\x{cf3}\x{ece}\x{10d69}-\x{10d6d}\x{10efc}-\x{10eff}\x{11241})"
          R"(\x{113b8}-\x{113c0}\x{113c2}\x{113c5}\x{113c7}-\x{113ca}\x{113cc}-\x{113d0})"
          R"(\x{113d2}\x{113e1}-\x{113e2}\x{11f00}-\x{11f01}\x{11f03}\x{11f34}-\x{11f3a})"
          R"(\x{11f3e}-\x{11f42}\x{11f5a}\x{13440}\x{13447}-\x{13455}\x{1611e}-\x{1612f})"
          R"(\x{1e08f}\x{1e4ec}-\x{1e4ef}\x{1e5ee}-\x{1e5ef})"},
    {"Mn", R"(\p{Mn}\x{897}\x{ece}\x{10d69}-\x{10d6d}\x{10efc}-\x{10eff}\x{11241})"
           R"(\x{113bb}-\x{113c0}\x{113ce}\x{113d0}\x{113d2}\x{113e1}-\x{113e2})"
           R"(\x{11f00}-\x{11f01}\x{11f36}-\x{11f3a}\x{11f40}\x{11f42}\x{11f5a}\x{13440})"
           R"(\x{13447}-\x{13455}\x{1611e}-\x{16129}\x{1612d}-\x{1612f}\x{1e08f})"
           R"(\x{1e4ec}-\x{1e4ef}\x{1e5ee}-\x{1e5ef})"},
    {"Mc", R"(\p{Mc}\x{cf3}\x{113b8}-\x{113ba}\x{113c2}\x{113c5}\x{113c7}-\x{113ca})"
           R"(\x{113cc}-\x{113cd}\x{113cf}\x{1171e}\x{11f03}\x{11f34}-\x{11f35})"
           R"(\x{11f3e}-\x{11f3f}\x{11f41}\x{1612a}-\x{1612c})"},
    {"Me", R"(\p{Me})"},
    {"N", R"(0-9\p{N}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9})"
          R"(\x{11f50}-\x{11f59}\x{16130}-\x{16139}\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9})"
          R"(\x{1d2c0}-\x{1d2d3}\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})"},
    {"Nd", R"(0-9\p{Nd}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9})"
           R"(\x{11f50}-\x{11f59}\x{16130}-\x{16139}\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9})"
           R"(\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})"},
    {"Nl", R"(\p{Nl})"},
    {"No", R"(\p{No}\x{1d2c0}-\x{1d2d3})"},
    {"P", R"(\p{P}\x{1b4e}-\x{1b4f}\x{1b7f}\x{10d6e}\x{113d4}-\x{113d5})"
          R"(\x{113d7}-\x{113d8}\x{11b00}-\x{11b09}\x{11be1}\x{11f43}-\x{11f4f})"
          R"(\x{16d6d}-\x{16d6f}\x{1e5ff})"},
    {"Pc", R"(\p{Pc})"},
    {"Pd", R"(\p{Pd}\x{10d6e})"},
    {"Ps", R"(\p{Ps})"},
    {"Pe", R"(\p{Pe})"},
    {"Pi", R"(\p{Pi})"},
    {"Pf", R"(\p{Pf})"},
    {"Po", R"(\p{Po}\x{1b4e}-\x{1b4f}\x{1b7f}\x{113d4}-\x{113d5}\x{113d7}-\x{113d8})"
           R"(\x{11b00}-\x{11b09}\x{11be1}\x{11f43}-\x{11f4f}\x{16d6d}-\x{16d6f}\x{1e5ff})"},
    {"S", R"(\p{S}\x{2427}-\x{2429}\x{2ffc}-\x{2fff}\x{31e4}-\x{31e5}\x{31ef})"
          R"(\x{10d8e}-\x{10d8f}\x{1cc00}-\x{1ccef}\x{1cd00}-\x{1ceb3}\x{1f6dc})"
          R"(\x{1f774}-\x{1f776}\x{1f77b}-\x{1f77f}\x{1f7d9}\x{1f8b2}-\x{1f8bb})"
          R"(\x{1f8c0}-\x{1f8c1}\x{1fa75}-\x{1fa77}\x{1fa87}-\x{1fa89}\x{1fa8f})"
          R"(\x{1faad}-\x{1faaf}\x{1fabb}-\x{1fabf}\x{1fac6}\x{1face}-\x{1facf})"
          R"(\x{1fada}-\x{1fadc}\x{1fadf}\x{1fae8}-\x{1fae9}\x{1faf7}-\x{1faf8})"
          R"(\x{1fbcb}-\x{1fbef})"},
    {"Sm", R"(\p{Sm}\x{10d8e}-\x{10d8f})"},
    {"Sc", R"(\p{Sc})"},
    {"Sk", R"(\p{Sk})"},
    {"So", R"(\p{So}\x{2427}-\x{2429}\x{2ffc}-\x{2fff}\x{31e4}-\x{31e5}\x{31ef})"
           R"(\x{1cc00}-\x{1ccef}\x{1cd00}-\x{1ceb3}\x{1f6dc}\x{1f774}-\x{1f776})"
           R"(\x{1f77b}-\x{1f77f}\x{1f7d9}\x{1f8b2}-\x{1f8bb}\x{1f8c0}-\x{1f8c1})"
           R"(\x{1fa75}-\x{1fa77}\x{1fa87}-\x{1fa89}\x{1fa8f}\x{1faad}-\x{1faaf})"
           R"(\x{1fabb}-\x{1fabf}\x{1fac6}\x{1face}-\x{1facf}\x{1fada}-\x{1fadc}\x{1fadf})"
           R"(\x{1fae8}-\x{1fae9}\x{1faf7}-\x{1faf8}\x{1fbcb}-\x{1fbef})"},
    {"Z", R"(\p{Z})"},
    {"Zs", R"(\p{Zs})"},
    {"Zl", R"(\p{Zl})"},
    {"Zp", R"(\p{Zp})"},
    {"Han", R"(\x{2e80}-\x{2e99}\x{2e9b}-\x{2ef3}\x{2f00}-\x{2fd5}\x{3005}\x{3007})"
            R"(\x{3021}-\x{3029}\x{3038}-\x{303b}\x{3400}-\x{4dbf}\x{4e00}-\x{9fff})"
            R"(\x{f900}-\x{fa6d}\x{fa70}-\x{fad9}\x{16fe2}-\x{16fe3}\x{16ff0}-\x{16ff1})"
            R"(\x{20000}-\x{2a6df}\x{2a700}-\x{2b739}\x{2b740}-\x{2b81d}\x{2b820}-\x{2cea1})"
            R"(\x{2ceb0}-\x{2ebe0}\x{2ebf0}-\x{2ee5d}\x{2f800}-\x{2fa1d}\x{30000}-\x{3134a})"
            R"(\x{31350}-\x{323af})"},
    {"Hiragana", R"(\x{3041}-\x{3096}\x{309d}-\x{309f}\x{1b001}-\x{1b11f}\x{1b132})"
                 R"(\x{1b150}-\x{1b152}\x{1f200})"},
    {"Katakana", R"(\x{30a1}-\x{30fa}\x{30fd}-\x{30ff}\x{31f0}-\x{31ff}\x{32d0}-\x{32fe})"
                 R"(\x{3300}-\x{3357}\x{ff66}-\x{ff6f}\x{ff71}-\x{ff9d}\x{1aff0}-\x{1aff3})"
                 R"(\x{1aff5}-\x{1affb}\x{1affd}-\x{1affe}\x{1b000}\x{1b120}-\x{1b122}\x{1b155})"
                 R"(\x{1b164}-\x{1b167})"},
    {"Hangul", R"(\x{1100}-\x{11ff}\x{302e}-\x{302f}\x{3131}-\x{318e}\x{3200}-\x{321e})"
               R"(\x{3260}-\x{327e}\x{a960}-\x{a97c}\x{ac00}-\x{d7a3}\x{d7b0}-\x{d7c6})"
               R"(\x{d7cb}-\x{d7fb}\x{ffa0}-\x{ffbe}\x{ffc2}-\x{ffc7}\x{ffca}-\x{ffcf})"
               R"(\x{ffd2}-\x{ffd7}\x{ffda}-\x{ffdc})"},
    {"Bopomofo", R"(\x{2ea}-\x{2eb}\x{3105}-\x{312f}\x{31a0}-\x{31bf})"},
    {"Latin", R"(\x41-\x5a\x61-\x7a\xaa\xba\xc0-\xd6\xd8-\xf6\xf8-\x{2b8}\x{2e0}-\x{2e4})"
              R"(\x{1d00}-\x{1d25}\x{1d2c}-\x{1d5c}\x{1d62}-\x{1d65}\x{1d6b}-\x{1d77})"
              R"(\x{1d79}-\x{1dbe}\x{1e00}-\x{1eff}\x{2071}\x{207f}\x{2090}-\x{209c})"
              R"(\x{212a}-\x{212b}\x{2132}\x{214e}\x{2160}-\x{2188}\x{2c60}-\x{2c7f})"
              R"(\x{a722}-\x{a787}\x{a78b}-\x{a7cd}\x{a7d0}-\x{a7d1}\x{a7d3}\x{a7d5}-\x{a7dc})"
              R"(\x{a7f2}-\x{a7ff}\x{ab30}-\x{ab5a}\x{ab5c}-\x{ab64}\x{ab66}-\x{ab69})"
              R"(\x{fb00}-\x{fb06}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10780}-\x{10785})"
              R"(\x{10787}-\x{107b0}\x{107b2}-\x{107ba}\x{1df00}-\x{1df1e}\x{1df25}-\x{1df2a})"},
    {"Cyrillic", R"(\x{400}-\x{484}\x{487}-\x{52f}\x{1c80}-\x{1c8a}\x{1d2b}\x{1d78})"
                 R"(\x{2de0}-\x{2dff}\x{a640}-\x{a69f}\x{fe2e}-\x{fe2f}\x{1e030}-\x{1e06d})"
                 R"(\x{1e08f})"},
    {"Greek", R"(\x{370}-\x{373}\x{375}-\x{377}\x{37a}-\x{37d}\x{37f}\x{384}\x{386})"
              R"(\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3e1}\x{3f0}-\x{3ff})"
              R"(\x{1d26}-\x{1d2a}\x{1d5d}-\x{1d61}\x{1d66}-\x{1d6a}\x{1dbf}\x{1f00}-\x{1f15})"
              R"(\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59})"
              R"(\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fc4})"
              R"(\x{1fc6}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fdd}-\x{1fef}\x{1ff2}-\x{1ff4})"
              R"(\x{1ff6}-\x{1ffe}\x{2126}\x{ab65}\x{10140}-\x{1018e}\x{101a0})"
              R"(\x{1d200}-\x{1d245})"},
    {"Arabic", R"(\x{600}-\x{604}\x{606}-\x{60b}\x{60d}-\x{61a}\x{61c}-\x{61e}\x{620}-\x{63f})"
               R"(\x{641}-\x{64a}\x{656}-\x{66f}\x{671}-\x{6dc}\x{6de}-\x{6ff}\x{750}-\x{77f})"
               R"(\x{870}-\x{88e}\x{890}-\x{891}\x{897}-\x{8e1}\x{8e3}-\x{8ff})"
               R"(\x{fb50}-\x{fbc2}\x{fbd3}-\x{fd3d}\x{fd40}-\x{fd8f}\x{fd92}-\x{fdc7}\x{fdcf})"
               R"(\x{fdf0}-\x{fdff}\x{fe70}-\x{fe74}\x{fe76}-\x{fefc}\x{10e60}-\x{10e7e})"
               R"(\x{10ec2}-\x{10ec4}\x{10efc}-\x{10eff}\x{1ee00}-\x{1ee03}\x{1ee05}-\x{1ee1f})"
               R"(\x{1ee21}-\x{1ee22}\x{1ee24}\x{1ee27}\x{1ee29}-\x{1ee32}\x{1ee34}-\x{1ee37})"
               R"(\x{1ee39}\x{1ee3b}\x{1ee42}\x{1ee47}\x{1ee49}\x{1ee4b}\x{1ee4d}-\x{1ee4f})"
               R"(\x{1ee51}-\x{1ee52}\x{1ee54}\x{1ee57}\x{1ee59}\x{1ee5b}\x{1ee5d}\x{1ee5f})"
               R"(\x{1ee61}-\x{1ee62}\x{1ee64}\x{1ee67}-\x{1ee6a}\x{1ee6c}-\x{1ee72})"
               R"(\x{1ee74}-\x{1ee77}\x{1ee79}-\x{1ee7c}\x{1ee7e}\x{1ee80}-\x{1ee89})"
               R"(\x{1ee8b}-\x{1ee9b}\x{1eea1}-\x{1eea3}\x{1eea5}-\x{1eea9}\x{1eeab}-\x{1eebb})"
               R"(\x{1eef0}-\x{1eef1})"},
    {"Hebrew", R"(\x{591}-\x{5c7}\x{5d0}-\x{5ea}\x{5ef}-\x{5f4}\x{fb1d}-\x{fb36})"
               R"(\x{fb38}-\x{fb3c}\x{fb3e}\x{fb40}-\x{fb41}\x{fb43}-\x{fb44}\x{fb46}-\x{fb4f})"},
    {"Thai", R"(\x{e01}-\x{e3a}\x{e40}-\x{e5b})"},
    {"Devanagari", R"(\x{900}-\x{950}\x{955}-\x{963}\x{966}-\x{97f}\x{a8e0}-\x{a8ff})"
                   R"(\x{11b00}-\x{11b09})"},
    {"Bengali", R"(\x{980}-\x{983}\x{985}-\x{98c}\x{98f}-\x{990}\x{993}-\x{9a8}\x{9aa}-\x{9b0})"
                R"(\x{9b2}\x{9b6}-\x{9b9}\x{9bc}-\x{9c4}\x{9c7}-\x{9c8}\x{9cb}-\x{9ce}\x{9d7})"
                R"(\x{9dc}-\x{9dd}\x{9df}-\x{9e3}\x{9e6}-\x{9fe})"},
    {"Tamil", R"(\x{b82}-\x{b83}\x{b85}-\x{b8a}\x{b8e}-\x{b90}\x{b92}-\x{b95}\x{b99}-\x{b9a})"
              R"(\x{b9c}\x{b9e}-\x{b9f}\x{ba3}-\x{ba4}\x{ba8}-\x{baa}\x{bae}-\x{bb9})"
              R"(\x{bbe}-\x{bc2}\x{bc6}-\x{bc8}\x{bca}-\x{bcd}\x{bd0}\x{bd7}\x{be6}-\x{bfa})"
              R"(\x{11fc0}-\x{11ff1}\x{11fff})"},
    {"Lao", R"(\x{e81}-\x{e82}\x{e84}\x{e86}-\x{e8a}\x{e8c}-\x{ea3}\x{ea5}\x{ea7}-\x{ebd})"
            R"(\x{ec0}-\x{ec4}\x{ec6}\x{ec8}-\x{ece}\x{ed0}-\x{ed9}\x{edc}-\x{edf})"},
    {"Khmer", R"(\x{1780}-\x{17dd}\x{17e0}-\x{17e9}\x{17f0}-\x{17f9}\x{19e0}-\x{19ff})"},
    {"Myanmar", R"(\x{1000}-\x{109f}\x{a9e0}-\x{a9fe}\x{aa60}-\x{aa7f}\x{116d0}-\x{116e3})"},
    {"Tibetan", R"(\x{f00}-\x{f47}\x{f49}-\x{f6c}\x{f71}-\x{f97}\x{f99}-\x{fbc}\x{fbe}-\x{fcc})"
                R"(\x{fce}-\x{fd4}\x{fd9}-\x{fda})"},
};

}  // namespace

std::string_view property_members(std::string_view name) {
  for (const Property& one : kProperties) {
    if (one.name == name) return one.members;
  }
  return {};
}

std::string_view space_members() {
  return R"(\t-\r \x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
}

std::string_view word_members() {
  return R"(A-Za-z0-9_\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\xb2-\xb3\xb9\xbc-\xbe\x{897}\x{cf3})"
         R"(\x{ece}\x{1c89}-\x{1c8a}\x{24b6}-\x{24e9}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc})"
         R"(\x{105c0}-\x{105f3}\x{10d40}-\x{10d65}\x{10d69}-\x{10d6d}\x{10d6f}-\x{10d85})"
         R"(\x{10ec2}-\x{10ec4}\x{10efc}-\x{10eff}\x{1123f}-\x{11241}\x{11380}-\x{11389})"
         R"(\x{1138b}\x{1138e}\x{11390}-\x{113b5}\x{113b7}-\x{113c0}\x{113c2}\x{113c5})"
         R"(\x{113c7}-\x{113ca}\x{113cc}-\x{113d3}\x{113e1}-\x{113e2}\x{116d0}-\x{116e3})"
         R"(\x{11bc0}-\x{11be0}\x{11bf0}-\x{11bf9}\x{11f00}-\x{11f10}\x{11f12}-\x{11f3a})"
         R"(\x{11f3e}-\x{11f42}\x{11f50}-\x{11f5a}\x{1342f}\x{13440}-\x{13455})"
         R"(\x{13460}-\x{143fa}\x{16100}-\x{16139}\x{16d40}-\x{16d6c}\x{16d70}-\x{16d79})"
         R"(\x{18cff}\x{1b132}\x{1b155}\x{1ccf0}-\x{1ccf9}\x{1df25}-\x{1df2a})"
         R"(\x{1e030}-\x{1e06d}\x{1e08f}\x{1e4d0}-\x{1e4f9}\x{1e5d0}-\x{1e5fa})"
         R"(\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}\x{2b739})"
         R"(\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})";
}

}  // namespace hangar
