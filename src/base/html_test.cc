#include "base/html.h"

#include <gtest/gtest.h>

namespace hangar {
namespace {

TEST(EscapeHtml, TheFiveCharactersAndNoOther) {
  EXPECT_EQ(escape_html("<a href=\"x\">R&D's</a> é"),
            "&lt;a href=&#34;x&#34;&gt;R&amp;D&#39;s&lt;/a&gt; é");
  EXPECT_EQ(escape_html(""), "");
}

}  // namespace
}  // namespace hangar
