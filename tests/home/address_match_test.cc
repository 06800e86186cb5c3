// Patterns of operators: a domain is found in either of its forms.
#include "queue/address_match.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outbox::queue {
namespace {

struct MatchCase {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(AddressMatchTest, Domains) {
  const std::vector<MatchCase> cases = {
      {"example.net", "EXAMPLE.net", true},
      {"*.example.net", "a.example.net", true},
      {"*.example.net", "example.net", false},
      {"bücher.example", "bücher.example", true},
      {"bücher.example", "xn--bcher-kva.example", true},
      {"xn--bcher-kva.example", "bücher.example", true},
      {"xn--bcher-kva.example", "BÜCHER.example", true},
      {"BÜCHER.example", "xn--bcher-kva.example", true},
      {"*.bücher.example", "a.xn--bcher-kva.example", true},
      {"*.xn--bcher-kva.example", "a.bücher.example", true},
      {"*cher.example", "xn--bcher-kva.example", true},
      {"*üch*", "xn--bcher-kva.example", true},
      {"*bcher-kva*", "bücher.example", true},
      {"bucher.example", "bücher.example", false},
      {"bücher.example", "bucher.example", false},
      {"*", "bücher.example", true},
      {"bücher.example", "", false},
  };
  for (const MatchCase& c : cases) {
    EXPECT_EQ(MatchesDomain(DomainPattern(c.pattern), c.text), c.matches)
        << c.pattern << " " << c.text;
  }
}

TEST(AddressMatchTest, Addresses) {
  const std::vector<MatchCase> cases = {
      {"alice@example.net", "Alice@example.net", true},
      {"jörg@bücher.example", "jörg@bücher.example", true},
      {"jörg@BÜCHER.example", "jörg@xn--bcher-kva.example", true},
      {"jörg@xn--bcher-kva.example", "jörg@bücher.example", true},
      {"*@bücher.example", "a@xn--bcher-kva.example", true},
      {"jörg@*", "jörg@xn--bcher-kva.example", true},
      {"*bücher*", "a@xn--bcher-kva.example", true},
      {"jorg@bücher.example", "jörg@bücher.example", false},
      {"a@bücher.example", "b@bücher.example", false},
      {"<>", "<>", true},
      {"<>", "a@bücher.example", false},
  };
  for (const MatchCase& c : cases) {
    EXPECT_EQ(MatchesAddress(AddressPattern(c.pattern), c.text), c.matches)
        << c.pattern << " " << c.text;
  }
}

// Whatever comes from a spool or an operator.
TEST(AddressMatchTest, GarbageMatchesAsItIs) {
  EXPECT_TRUE(MatchesAddress(AddressPattern("a@\xff"), "a@\xff"));
  EXPECT_FALSE(MatchesAddress(AddressPattern("a@\xff"), "a@\xfe"));
  // The DNS may have it, though IDNA2008 does not.
  EXPECT_TRUE(MatchesDomain(DomainPattern("☃.example"), "xn--n3h.example"));
  EXPECT_TRUE(MatchesDomain("*", "\xff\xfe"));
}

}  // namespace
}  // namespace outbox::queue
