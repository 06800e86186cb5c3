// A UTF-8 envelope at a host without SMTPUTF8: what can be written in ASCII, and why the rest
// cannot.
#include "queue/ascii_envelope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace outbox::queue {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(AsciiEnvelopeTest, DomainsAreRewrittenAndNothingElseIs) {
  const std::vector<std::string_view> recipients = {"bob@example.net", "Bob@Bücher.example",
                                                    "jörg@bücher.example"};
  const AsciiEnvelope envelope("News@größe.example", recipients);
  EXPECT_EQ(envelope.reverse_path(), "News@xn--gre-6ka8i.example");
  EXPECT_THAT(envelope.recipients(),
              ElementsAre("bob@example.net", "Bob@xn--bcher-kva.example", "jörg@bücher.example"));
  EXPECT_EQ(AsciiEnvelope("", recipients).reverse_path(), "");
}

TEST(AsciiEnvelopeTest, WhatHasAnAsciiForm) {
  for (const char* address : {"", "a@b.c", "a@bücher.example"}) EXPECT_TRUE(HasAsciiForm(address));
  for (const char* address : {"ö@b.c", "ö@bücher.example", "a@\xff.c", "a@☃.c"}) {
    EXPECT_FALSE(HasAsciiForm(address)) << address;
  }
}

TEST(AsciiEnvelopeTest, APersonReadsWhatIsInTheWay) {
  const std::string_view host = "192.0.2.1:25";
  EXPECT_THAT(WhyUtf8("ö@a.b", "ü@c.d", host), HasSubstr("the sender's address ö@a.b has"));
  EXPECT_THAT(WhyUtf8("a@ö.b", "ü@c.d", host), HasSubstr("the address ü@c.d has"));
  EXPECT_EQ(WhyUtf8("a@ö.b", "c@ü.d", host),
            "the header of the message has characters beyond ASCII, and 192.0.2.1:25 cannot take "
            "these (it does not offer SMTPUTF8)");
}

}  // namespace
}  // namespace outbox::queue
