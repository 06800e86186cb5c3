// [[route]] with conditions, actions and the ways of its sessions: what is read, and what an
// operator reads when it is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/config_routes.h"
#include "core/config_rules.h"
#include "core/secret.h"

namespace outbox::core {
namespace {

using testing::ElementsAre;

// Routes begin on line 5.
const std::string kFine =
    "hostname = \"relay.example.com\"\n"
    "[[listener]]\n"
    "address = \"127.0.0.1:2525\"\n"
    "relay_from = [\"127.0.0.0/8\"]\n";

ConfigResult Parse(const std::string& routes) { return ParseConfig(kFine + routes, "f"); }

TEST(RouteConfigTest, EveryCondition) {
  const ConfigResult result = Parse(R"(
[[route]]
name      = "bulk"
match     = ["example.net", "*.Example.org"]
recipient = ["Anna@example.net", "sales-*@*"]
sender    = ["News@Example.com", "*@lists.example.com", "<>"]
source    = ["10.0.0.0/8", "2001:db8::/32"]
header    = ["X-Class: Bulk*", "List-ID", "X-Any:   *  "]
size      = "> 10MiB"
via       = ["192.0.2.25", "backup.example.net:2525"]
)");
  ASSERT_THAT(result.errors, ElementsAre());
  const RouteConfig& route = result.config.routes.at(0);
  EXPECT_EQ(route.name, "bulk");
  EXPECT_THAT(route.match, ElementsAre("example.net", "*.example.org"));
  EXPECT_THAT(route.recipients, ElementsAre("anna@example.net", "sales-*@*"));
  EXPECT_THAT(route.senders, ElementsAre("news@example.com", "*@lists.example.com", "<>"));
  ASSERT_EQ(route.sources.size(), 2u);
  EXPECT_EQ(route.sources[1].ToString(), "2001:db8::/32");
  ASSERT_EQ(route.headers.size(), 3u);
  EXPECT_EQ(route.headers[0].name, "x-class");
  EXPECT_EQ(route.headers[0].value, "bulk*");
  EXPECT_EQ(route.headers[1].name, "list-id");
  EXPECT_EQ(route.headers[1].value, "");
  EXPECT_EQ(route.headers[2].value, "*");
  EXPECT_EQ(route.size.min, (10u << 20) + 1);
  EXPECT_EQ(route.size.max, UINT64_MAX);
  EXPECT_EQ(route.action, RouteAction::kSend);
  EXPECT_EQ(route.via.size(), 2u);
  EXPECT_FALSE(route.by_domain_alone());
  EXPECT_TRUE(route.needs_content());
}

TEST(RouteConfigTest, WithAConditionMatchMayBeLeftOutAndTheNameFollowsFromIt) {
  const struct {
    std::string condition;
    std::string name;
    RouteKey key;
  } kTable[] = {
      {"recipient = \"a@example.net\"", "a@example.net", RouteKey::kRecipient},
      {"recipient = \"a*@example.net\"", "a*@example.net", RouteKey::kNone},
      {"recipient = \"a*@example.net\"\nmatch = \"example.net\"", "example.net", RouteKey::kDomain},
      {"sender = [\"<>\", \"*@example.com\", \"b@example.com\"]", "<>", RouteKey::kSender},
      {"sender = \"*@*.example.com\"", "*@*.example.com", RouteKey::kNone},
      {"source = \"10.0.0.0/8\"", "10.0.0.0/8", RouteKey::kNone},
      {"header = \"X-Class: bulk\"", "X-Class: bulk", RouteKey::kNone},
      {"size = \"<1KiB\"", "<1KiB", RouteKey::kNone},
      {"match = \"example.net\"", "example.net", RouteKey::kDomain},
  };
  for (const auto& row : kTable) {
    const ConfigResult result = Parse("[[route]]\n" + row.condition + "\nvia = \"mx\"\n");
    ASSERT_THAT(result.errors, ElementsAre()) << row.condition;
    const RouteConfig& route = result.config.routes[0];
    EXPECT_EQ(route.name, row.name);
    EXPECT_EQ(KeyOf(route), row.key) << row.condition;
    EXPECT_EQ(route.match.size(), 1u);
  }
}

TEST(RouteConfigTest, Sizes) {
  const struct {
    std::string_view text;
    uint64_t min;
    uint64_t max;
  } kTable[] = {
      {">= 10MiB", 10u << 20, UINT64_MAX},
      {">10MiB", (10u << 20) + 1, UINT64_MAX},
      {"<= 1000", 0, 1000},
      {"<\t1KiB", 0, 1023},
      {">0", 1, UINT64_MAX},
  };
  for (const auto& row : kTable) {
    SizeCondition size;
    ASSERT_TRUE(ParseSizeCondition(row.text, &size)) << row.text;
    EXPECT_EQ(size.min, row.min) << row.text;
    EXPECT_EQ(size.max, row.max) << row.text;
  }
  for (const char* const bad :
       {"", "10MiB", "= 10MiB", ">", ">= ", "=> 1KiB", "< 0", "> -1", "> 10 MiB", "> 9999999TiB"}) {
    SizeCondition size;
    EXPECT_FALSE(ParseSizeCondition(bad, &size)) << bad;
  }
}

TEST(RouteConfigTest, Actions) {
  const ConfigResult result = Parse(R"(
[[route]]
sender = "*@quarantined.example"
via    = "hold"
retry_until = "2d"
[[route]]
match = "gone.example"
via   = 'reject "This domain has moved"'
[[route]]
match = "old.example"
via   = "reject"
[[route]]
match = "test.example"
via   = "discard"
)");
  ASSERT_THAT(result.errors, ElementsAre());
  const std::vector<RouteConfig>& routes = result.config.routes;
  EXPECT_EQ(routes[0].action, RouteAction::kHold);
  EXPECT_EQ(routes[0].periods.retry_until_ns, 2 * kNsPerDay);
  EXPECT_EQ(routes[1].action, RouteAction::kReject);
  EXPECT_EQ(routes[1].reject_text, "This domain has moved");
  EXPECT_EQ(routes[2].reject_text, "Mail like this is not accepted here");
  EXPECT_EQ(routes[3].action, RouteAction::kDiscard);
}

// Held mail goes on by a later route when it is released, and conditions leave mail for it.
TEST(RouteConfigTest, WhatComesBehindAHoldOrAConditionCanBeReached) {
  EXPECT_THAT(Parse("[[route]]\nmatch = \"*\"\nvia = \"hold\"\n"
                    "[[route]]\nmatch = \"*\"\nsize = \"> 1MiB\"\nvia = \"10.0.0.1\"\n"
                    "[[route]]\nmatch = \"a.example\"\nvia = \"10.0.0.2\"\n")
                  .errors,
              ElementsAre());
  EXPECT_THAT(Parse("[[route]]\nmatch = \"*.example\"\nvia = \"mx\"\n"
                    "[[route]]\nmatch = \"a.example\"\nsize = \"> 1MiB\"\nvia = \"hold\"\n")
                  .errors,
              ElementsAre("f:9:9: \"a.example\" is never reached; expected it before "
                          "\"*.example\" in line 6, since the first match wins"));
}

TEST(RouteConfigTest, SessionKeys) {
  const ConfigResult result = Parse(R"(
[[route]]
match = "*"
via   = "smtp.provider.example:587"
bind  = ["192.0.2.7", "2001:db8::7"]
tls   = "required"
auth_user = "relay@example.com"
auth_secret_file = "/etc/outbox/provider.secret"
max_connections = 4
)");
  ASSERT_THAT(result.errors, ElementsAre());
  const RouteConfig& route = result.config.routes[0];
  ASSERT_EQ(route.bind.size(), 2u);
  EXPECT_EQ(route.bind[1].ToString(), "2001:db8::7");
  EXPECT_EQ(route.tls, TlsMode::kRequired);
  EXPECT_EQ(route.tls_line, 10u);
  EXPECT_EQ(route.auth.user, "relay@example.com");
  EXPECT_EQ(route.auth.secret_file, "/etc/outbox/provider.secret");
  EXPECT_EQ(route.auth.line, 12u);
  EXPECT_EQ(route.auth.secret, nullptr);  // nothing is read here
  EXPECT_FALSE(route.auth.plain_in_clear);
  EXPECT_EQ(route.auth.mechanisms, kAllAuthMechanisms);
}

TEST(RouteConfigTest, HowItAuthenticates) {
  const std::string route =
      "[[route]]\nmatch = \"*.a.example\"\nvia = \"smtp.example:587\"\n"
      "auth_user = \"me\"\nauth_secret_env = \"SECRET\"\n";
  const ConfigResult result =
      Parse(route + "auth_mechanisms = [\"CRAM-MD5\", \"LOGIN\"]\nauth_plaintext = true\n");
  ASSERT_THAT(result.errors, ElementsAre());
  const RouteAuth& auth = result.config.routes[0].auth;
  EXPECT_EQ(auth.secret_env, "SECRET");
  EXPECT_TRUE(auth.plain_in_clear);
  EXPECT_EQ(auth.mechanisms, BitOf(AuthMechanism::kLogin) | BitOf(AuthMechanism::kCramMd5));

  EXPECT_THAT(Parse(route + "auth_mechanisms = \"GSSAPI\"\n").errors,
              ElementsAre("f:10:19: \"GSSAPI\" is no mechanism that is known here; expected "
                          "\"PLAIN\", \"LOGIN\" or \"CRAM-MD5\""));
  EXPECT_THAT(Parse("[[route]]\nmatch = \"*\"\nvia = \"mx\"\nauth_plaintext = true\n").errors,
              ElementsAre("f:8:18: \"auth_plaintext\" is for a route with \"auth_user\"; expected "
                          "that, too"));
  EXPECT_THAT(Parse("[[route]]\nmatch = \"*\"\nvia = \"lmtp:10.0.0.1:24\"\n"
                    "auth_user = \"me\"\nauth_secret_env = \"SECRET\"\n")
                  .errors,
              ElementsAre("f:8:13: nobody authenticates by LMTP here; expected no \"auth_user\", "
                          "or hosts that speak SMTP"));
  const std::string long_user(257, 'u');
  EXPECT_THAT(Parse("[[route]]\nmatch = \"*\"\nvia = \"mx\"\nauth_user = \"" + long_user +
                    "\"\nauth_secret_env = \"SECRET\"\n")
                  .errors,
              ElementsAre("f:8:13: \"" + long_user +
                          "\" is no name to authenticate with; "
                          "expected 1 to 256 printable ASCII characters"));
}

TEST(RouteConfigTest, AUserHasOneSecretAtTheSameHosts) {
  const auto route = [](const std::string& domain, const std::string& host,
                        const std::string& rest) {
    return "[[route]]\nmatch = \"" + domain + "\"\nvia = \"" + host + "\"\n" + rest + "\n";
  };
  const std::string me = "auth_user = \"me\"\nauth_secret_env = \"ONE\"";
  const std::string other = "auth_user = \"me\"\nauth_secret_env = \"TWO\"";
  const std::string first = route("a.example", "smtp.example:587", me);
  for (const std::string& fine :
       {route("b.example", "smtp.example:587", me + "\ntls = \"verify\""),
        route("b.example", "smtp.example:465", other), route("b.example", "mx", other),
        route("b.example", "smtp.example:587", "auth_user = \"you\"\nauth_secret_env = \"TWO\"")}) {
    EXPECT_THAT(Parse(first + fine).errors, ElementsAre()) << fine;
  }
  for (const std::string& wrong :
       {other, me + "\nauth_plaintext = true", me + "\nauth_mechanisms = \"PLAIN\""}) {
    EXPECT_THAT(Parse(first + route("b.example", "smtp.example:587", wrong)).errors,
                ElementsAre("f:13:13: the route with this user in line 8 goes to the same hosts "
                            "with another secret, auth_mechanisms or auth_plaintext; expected the "
                            "same"))
        << wrong;
  }
}

TEST(RouteConfigTest, Verp) {
  const ConfigResult result = Parse(R"(
[delivery]
return_full_max = "100KiB"
[[route]]
sender = "news@*"
via    = "mx"
verp   = "+="
[[route]]
match = "*"
via   = "10.0.0.1"
)");
  ASSERT_THAT(result.errors, ElementsAre());
  EXPECT_EQ(result.config.routes[0].verp, "+=");
  EXPECT_EQ(result.config.routes[1].verp, "");
  EXPECT_EQ(result.config.delivery.return_full_max, 100u << 10);
  EXPECT_EQ(Parse("").config.delivery.return_full_max, 64u << 10);
  const std::string expected =
      "\"verp\" is for mail that is sent by SMTP; expected it in a route with \"mx\" or such hosts "
      "in \"via\"";
  for (const std::string via : {"lmtp:/run/lmtp", "hold", "discard"}) {
    EXPECT_THAT(Parse("[[route]]\nmatch = \"*\"\nvia = \"" + via + "\"\nverp = \"+=\"\n").errors,
                ElementsAre("f:8:8: " + expected));
  }
}

TEST(RouteConfigTest, TlsIsThatOfDeliveryUnlessTheRouteSaysSo) {
  const ConfigResult result = Parse(R"(
[delivery]
tls = "required"
tls_timeout = "7s"
tls_ca = "/etc/ca.pem"
[[route]]
match = "a.example"
via   = "mx"
[[route]]
match = "b.example"
via   = "mx"
tls   = "none"
)");
  ASSERT_THAT(result.errors, ElementsAre());
  EXPECT_EQ(result.config.routes[0].tls, TlsMode::kRequired);
  EXPECT_EQ(result.config.routes[1].tls, TlsMode::kNone);
  EXPECT_EQ(result.config.delivery.tls_timeout_ns, 7 * kNsPerSecond);
  EXPECT_EQ(result.config.delivery.tls_ca.path, "/etc/ca.pem");
  EXPECT_EQ(result.config.delivery.tls_ca.line, 9u);
  EXPECT_EQ(Parse("").config.delivery.tls, TlsMode::kOpportunistic);
}

TEST(RouteConfigTest, CertificatesOfAListener) {
  const auto listener = [](const std::string& keys) {
    return ParseConfig("hostname = \"relay.example.com\"\n[[listener]]\n"
                       "address = \"127.0.0.1:25\"\nrelay_from = [\"127.0.0.0/8\"]\n" + keys,
                       "f");
  };
  EXPECT_EQ(listener("").config.listeners[0].tls, TlsMode::kNone);
  const ConfigResult two = listener("tls_certificate = [\"a.pem\", \"b.pem\"]\n"
                                    "tls_key = [\"a.key\", \"b.key\"]\n");
  ASSERT_THAT(two.errors, ElementsAre());
  EXPECT_EQ(two.config.listeners[0].tls, TlsMode::kOpportunistic);
  EXPECT_EQ(two.config.listeners[0].tls_certificates[1].path, "b.pem");
  EXPECT_EQ(two.config.listeners[0].tls_keys[1].path, "b.key");
  EXPECT_EQ(two.config.listeners[0].tls_keys[1].line, 6u);
  const ConfigResult both = listener("tls_certificate = \"a.pem\"\ntls = \"implicit\"\n");
  ASSERT_THAT(both.errors, ElementsAre());
  EXPECT_EQ(both.config.listeners[0].tls, TlsMode::kImplicit);
  EXPECT_EQ(both.config.listeners[0].tls_keys[0].path, "a.pem");
  EXPECT_THAT(listener("tls = \"required\"\n").errors,
              ElementsAre("f:5:7: the listener has no certificate to use TLS with; expected "
                          "\"tls_certificate\" and \"tls_key\""));
}

TEST(RouteConfigTest, Mistakes) {
  // Each is line 6 of a route that is fine otherwise.
  const struct {
    std::string line;
    std::string error;
  } kTable[] = {
      {"recipient = \"example.net\"",
       "f:6:13: \"example.net\" is no pattern of recipients; expected \"anna@example.net\" or "
       "\"sales-*@example.net\"; domains belong to \"match\""},
      {"recipient = \"<>\"",
       "f:6:13: \"<>\" is no pattern of recipients; expected \"anna@example.net\" or "
       "\"sales-*@example.net\"; domains belong to \"match\""},
      {"sender = [\"*@example.com\", \"<a@example.com>\"]",
       "f:6:28: \"<a@example.com>\" is no pattern of senders; expected \"news@example.com\", "
       "\"*@example.com\" or, for the null return path, \"<>\""},
      {"source = \"10.1.0.0/8\"",
       "f:6:10: \"10.1.0.0/8\" is not a network; expected zeros behind the prefix length"},
      {"header = \"X Class: bulk\"",
       "f:6:10: \"X Class: bulk\" is no header field; expected its name, or its name and a pattern "
       "of its value, for example \"X-Class: bulk*\""},
      {"header = \"X-Class:\"",
       "f:6:10: \"X-Class:\" is no header field; expected its name, or its name and a pattern of "
       "its value, for example \"X-Class: bulk*\""},
      {"size = \"10MiB\"",
       "f:6:8: \"10MiB\" is no condition for the size; expected for example \">= 10MiB\" or "
       "\"< 1KiB\""},
      {"size = 10", "f:6:8: \"size\" is an integer; expected a string"},
      {"bind = \"0.0.0.0\"",
       "f:6:8: \"0.0.0.0\" is no address to send from; expected one of this machine's, for example "
       "\"192.0.2.7\" or \"2001:db8::7\""},
      {"bind = [\"192.0.2.7\", \"192.0.2.8\"]",
       "f:6:22: \"192.0.2.8\" is the second address of its family; expected at most one of IPv4 "
       "and one of IPv6"},
      {"tls = \"yes\"",
       "f:6:7: \"yes\" is no way to use TLS; expected \"none\", \"opportunistic\", \"required\", "
       "\"implicit\" or \"verify\""},
      {"verp = \"++\"",
       "f:6:8: \"++\" is no pair of separators; expected two different ones of \"+\", \"=\" and "
       "\"-\", for example \"+=\""},
      {"verp = \"=\"",
       "f:6:8: \"=\" is no pair of separators; expected two different ones of \"+\", \"=\" and "
       "\"-\", for example \"+=\""},
      {"verp = true", "f:6:8: \"verp\" is a boolean; expected a string"},
      {"auth_user = \"me\"",
       "f:6:13: \"auth_user\" has no secret; expected either \"auth_secret_file\" or "
       "\"auth_secret_env\""},
      {"auth_secret_file = \"/etc/secret\"",
       "f:6:20: there is a secret, but no \"auth_user\"; expected both"},
      {"auth_secret = \"hunter2\"",
       "f:6:1: unknown key \"auth_secret\" in [[route]]; did you mean \"auth_user\"?"},
  };
  for (const auto& row : kTable) {
    EXPECT_THAT(Parse("[[route]]\n" + row.line + "\nmatch = \"*\"\nvia = \"mx\"\n").errors,
                ElementsAre(row.error));
  }
}

TEST(RouteConfigTest, EachHasANameOfItsOwn) {
  const ConfigResult result = Parse(
      "[[route]]\nmatch = \"*\"\nsender = \"a@x.example\"\nvia = \"mx\"\n"
      "[[route]]\nname = \"*#2\"\nmatch = \"y.example\"\nvia = \"mx\"\n"
      "[[route]]\nmatch = \"*\"\nsender = \"b@x.example\"\nvia = \"mx\"\n"
      "[[route]]\nmatch = \"*\"\nvia = \"mx\"\n");
  ASSERT_THAT(result.errors, ElementsAre());
  std::vector<std::string> names;
  for (const RouteConfig& route : result.config.routes) names.push_back(route.name);
  EXPECT_THAT(names, ElementsAre("*", "*#2", "*#3", "*#4"));

  EXPECT_THAT(Parse("[[route]]\nmatch = \"x.example\"\nvia = \"mx\"\n"
                    "[[route]]\nname = \"x.example\"\nmatch = \"*\"\nvia = \"mx\"\n")
                  .errors,
              ElementsAre("f:9:8: \"x.example\" is the name of the route in line 5, too; expected "
                          "a name of its own"));
  EXPECT_THAT(Parse("[[route]]\nname = \"archive\"\nmatch = \"*\"\nvia = \"mx\"\n").errors,
              ElementsAre("f:6:8: \"archive\" is the name of a way that mail takes without a "
                          "route; expected another name"));
}

TEST(RouteConfigTest, ANoticeOfADelayComesBeforeTheEnd) {
  const std::string route = "[[route]]\nmatch = \"*\"\nvia = \"mx\"\n";
  EXPECT_THAT(Parse(route + "notify_after = \"2d\"\nretry_until = \"1d\"\n").errors,
              ElementsAre("f:8:16: \"notify_after\" is 2d, when the mail has been given up after "
                          "1d; expected at most \"retry_until\", or \"never\""));
  // The default of the other one is no mistake.
  EXPECT_THAT(Parse(route + "retry_until = \"1h\"\n").errors, ElementsAre());
  EXPECT_THAT(Parse(route + "notify_after = \"never\"\nretry_until = \"1h\"\n").errors,
              ElementsAre());
}

TEST(RouteConfigTest, ASecretInTheWrongPlaceIsNotShown) {
  const std::vector<std::string> errors =
      Parse(
          "[[route]]\nmatch = \"*\"\nvia = \"mx\"\nauth_user = \"me\"\n"
          "auth_secret_env = \"hunter2!\"\n")
          .errors;
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0],
            "f:9:19: \"auth_secret_env\" is no name of an environment variable; expected for "
            "example \"RELAY_SECRET\"");
}

TEST(RouteConfigTest, WhatIsNotSentNeedsNoSession) {
  for (const std::string via : {"hold", "discard", "reject No"}) {
    EXPECT_THAT(Parse("[[route]]\nmatch = \"*\"\nvia = \"" + via + "\"\nport = 26\n").errors,
                ElementsAre("f:8:8: \"port\" is for mail that is sent; expected it in a route with "
                            "hosts or \"mx\" in \"via\""));
    EXPECT_THAT(Parse("[[route]]\nmatch = \"*\"\nvia = [\"10.0.0.1\", \"" + via + "\"]\n").errors,
                ElementsAre("f:7:20: \"" + via + "\" stands beside others; expected it alone"));
  }
  EXPECT_THAT(Parse("[[route]]\nmatch = \"*\"\nvia = \"reject a\\nb\"\n").errors,
              ElementsAre("f:7:7: \"reject a\nb\" says what no reply can; expected at most 400 "
                          "printable ASCII characters behind \"reject\""));
}

TEST(RouteConfigTest, RoutesThatMustBeWalkedAreBounded) {
  std::string routes;
  for (size_t i = 0; i <= kConfigWalkedRoutes; ++i) {
    routes += "[[route]]\nsource = \"10.0.0.1\"\nvia = \"mx\"\n";
  }
  EXPECT_THAT(Parse(routes).errors,
              ElementsAre("f:3005:1: more than 1000 routes that are for any domain and sender; "
                          "expected fewer, or a \"match\", \"recipient\" or \"sender\" without "
                          "\"*\" in each"));
  std::string fields;
  for (size_t i = 0; i <= kConfigHeaderConditions; ++i) fields += "\"X\",\n";
  EXPECT_THAT(Parse("[[route]]\nheader = [" + fields + "]\nvia = \"mx\"\n").errors,
              ElementsAre("f:1006:1: more than 1000 header fields in all routes; expected fewer"));
}

TEST(SecretTest, IsACopyThatCoreFilesLeaveOut) {
  std::string text = "hunter2";
  const std::shared_ptr<const Secret> secret = Secret::Copy(text);
  ASSERT_NE(secret, nullptr);
  text.assign(text.size(), 'x');
  EXPECT_EQ(secret->text(), "hunter2");
  // The kernel says of each mapping whether a core file has it: "dd" is MADV_DONTDUMP.
  std::FILE* const maps = std::fopen("/proc/self/smaps", "re");
  ASSERT_NE(maps, nullptr);
  const auto address = reinterpret_cast<uintptr_t>(secret->text().data());
  char line[512];
  bool inside = false;
  bool left_out = false;
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (std::sscanf(line, "%lx-%lx ", &begin, &end) == 2 && std::strchr(line, '-') < line + 17) {
      inside = begin <= address && address < end;
    } else if (inside && std::strncmp(line, "VmFlags:", 8) == 0) {
      left_out = std::strstr(line, " dd") != nullptr;
    }
  }
  std::fclose(maps);
  EXPECT_TRUE(left_out);
}

}  // namespace
}  // namespace outbox::core
