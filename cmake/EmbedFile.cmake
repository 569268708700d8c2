# cmake -DINPUT=FILE -DOUTPUT=FILE.cc -DHEADER=HEADER -DNAMESPACE=NS -DNAME=FUNCTION -P EmbedFile.cmake:
# the bytes of INPUT as the function NAME of HEADER, which gives them as a std::string_view.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "// Made from ${INPUT} by EmbedFile.cmake.
#include \"${HEADER}\"

namespace ${NAMESPACE} {
namespace {
constexpr unsigned char kBytes[] = {${bytes}};
}  // namespace

std::string_view ${NAME}() {
  return {reinterpret_cast<const char*>(kBytes), sizeof kBytes};
}

}  // namespace ${NAMESPACE}
")
