// The canonical body: a table of the RFC's and of the trade's odd bodies, each in one piece and
// split at every octet.
#include "dkim/body_canon.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/dkim/canon_run.h"
#include "tests/dkim/naive_canon.h"

namespace outbox::dkim {
namespace {

struct Body {
  std::string wire;
  std::string simple;
  std::string relaxed;
};

void CheckEverySplit(const std::string& wire, bool relaxed, const std::string& expected) {
  for (size_t first = 0; first <= wire.size(); ++first) {
    EXPECT_EQ(RunCanon(wire, relaxed, first, wire.size()), expected) << "split at " << first;
  }
  EXPECT_EQ(RunCanon(wire, relaxed, 1, 1), expected) << "octet by octet";
  EXPECT_EQ(NaiveCanon(NaiveUnstuff(wire), relaxed), expected) << "told naively";
}

TEST(BodyCanonTest, Table) {
  const std::vector<Body> bodies = {
      // No body, and bodies of nothing: RFC 6376 3.4.3, 3.4.4.
      {".\r\n", "\r\n", ""},
      {"\r\n.\r\n", "\r\n", ""},
      {"\r\n\r\n\r\n.\r\n", "\r\n", ""},
      {" \t\r\n.\r\n", " \t\r\n", ""},
      // The example of 3.4.5.
      {" C \r\nD \t E\r\n\r\n\r\n.\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
      // Empty lines at the end go, those before stay; blanks alone make an empty line when relaxed.
      {"a\r\n\r\nb\r\n\r\n.\r\n", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"},
      {"a\r\n \r\n\t\r\n.\r\n", "a\r\n \r\n\t\r\n", "a\r\n"},
      {"a\r\n \r\nb\r\n.\r\n", "a\r\n \r\nb\r\n", "a\r\n\r\nb\r\n"},
      // Dots.
      {"..a\r\n...\r\n..\r\nb.\r\n.\r\n", ".a\r\n..\r\n.\r\nb.\r\n", ".a\r\n..\r\n.\r\nb.\r\n"},
      {".. a\r\n.\r\n", ". a\r\n", ". a\r\n"},
      {".a\r\n.\r\n", "a\r\n", "a\r\n"},
      {".\ra\r\n.\r\n", "\ra\r\n", "\ra\r\n"},
      // What follows the end is not of the message.
      {"a\r\n.\r\nb\r\n", "a\r\n", "a\r\n"},
      // Without the end of the last line, or of the message.
      {"a", "a\r\n", "a\r\n"},
      {"a \t", "a \t\r\n", "a\r\n"},
      {"a\r\n", "a\r\n", "a\r\n"},
      {"a\r\n.", "a\r\n", "a\r\n"},
      // A CR or an LF of its own ends nothing.
      {"a\rb\r\n.\r\n", "a\rb\r\n", "a\rb\r\n"},
      {"a \r b\r\r\n.\r\n", "a \r b\r\r\n", "a \r b\r\r\n"},
      {"a\n.\r\n\n\r\n.\r\n", "a\n.\r\n\n\r\n", "a\n.\r\n\n\r\n"},
      // Eight bits, and blanks of every kind.
      {"gr\xc3\xbc\xc3\x9f"
       "e\t \tan\xa0\xa0 alle \r\n.\r\n",
       "gr\xc3\xbc\xc3\x9f"
       "e\t \tan\xa0\xa0 alle \r\n",
       "gr\xc3\xbc\xc3\x9f"
       "e an\xa0\xa0 alle\r\n"},
  };
  for (const Body& body : bodies) {
    SCOPED_TRACE(testing::PrintToString(body.wire));
    CheckEverySplit(body.wire, /*relaxed=*/false, body.simple);
    CheckEverySplit(body.wire, /*relaxed=*/true, body.relaxed);
  }
}

TEST(BodyCanonTest, ManyLinesAreMoreThanItsBuffer) {
  std::string wire;
  for (int i = 0; i < 500; ++i) {
    wire += "line " + std::to_string(i) + "  with blanks \t\r\n";
    if (i % 7 == 0) wire += "\r\n\r\n";
    if (i % 11 == 0) wire += "..\r\n" + std::string(3000, 'x') + "\r\n";
  }
  wire += "\r\n\r\n.\r\n";
  for (const bool relaxed : {false, true}) {
    const std::string expected = NaiveCanon(NaiveUnstuff(wire), relaxed);
    for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}, wire.size()}) {
      EXPECT_EQ(RunCanon(wire, relaxed, piece, piece), expected) << piece;
    }
  }
}

TEST(BodyCanonTest, Hashes) {
  // RFC 6376 3.4.3 and 3.4.4 print the hash of an empty body.
  EXPECT_EQ(Base64(AsBytes(BodyHash(/*relaxed=*/false).Result())),
            "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
  EXPECT_EQ(Base64(AsBytes(BodyHash(/*relaxed=*/true).Result())),
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

}  // namespace
}  // namespace outbox::dkim
