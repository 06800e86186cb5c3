// [auth], and AUTH at listeners: what an operator may write, and what he reads when it is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/config.h"

namespace outbox::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Its keys begin on line 4.
std::string AuthListener(const std::string& keys, const std::string& before = "") {
  return "hostname = \"relay.example.com\"\n" + before +
         "[[listener]]\naddress = \"127.0.0.1:2525\"\n" + keys;
}

ConfigResult ReadAuthListener(const std::string& keys, const std::string& before = "") {
  return ParseConfig(AuthListener(keys, before), "f");
}

TEST(ConfigAuth, NoneByDefault) {
  const ConfigResult result = ReadAuthListener("relay_from = \"127.0.0.1\"\n");
  ASSERT_THAT(result.errors, IsEmpty());
  EXPECT_EQ(result.config.listeners[0].auth.mode, AuthMode::kNone);
  EXPECT_EQ(result.config.auth.max_failures, 10u);
}

TEST(ConfigAuth, AListenerWithUsersOfItsOwn) {
  const ConfigResult result = ReadAuthListener(
      "auth = \"required\"\nauth_users = \"/etc/users\"\ntls_certificate = \"c\"\n");
  ASSERT_THAT(result.errors, IsEmpty());
  const ListenerConfig& listener = result.config.listeners[0];
  EXPECT_EQ(listener.auth.mode, AuthMode::kRequired);
  EXPECT_EQ(listener.auth.file.path, "/etc/users");
  EXPECT_EQ(listener.auth.file.line, 5u);
  EXPECT_FALSE(listener.auth.without_tls);
  EXPECT_THAT(listener.relay_from, IsEmpty());
}

TEST(ConfigAuth, UsersOfAll) {
  const ConfigResult result = ReadAuthListener(
      "auth = \"offered\"\nauth_without_tls = true\nrelay_from = \"127.0.0.1\"\n[auth]\n"
      "users = \"users\"\nmax_failures = 3\nfailure_period = \"1m\"\nrefuse_for = \"1h\"\n");
  ASSERT_THAT(result.errors, IsEmpty());
  const ListenerConfig& listener = result.config.listeners[0];
  EXPECT_EQ(listener.auth.mode, AuthMode::kOffered);
  EXPECT_TRUE(listener.auth.without_tls);
  EXPECT_EQ(listener.auth.file.path, "users");
  EXPECT_EQ(result.config.auth.max_failures, 3u);
  EXPECT_EQ(result.config.auth.failure_period_ns, kNsPerMinute);
  EXPECT_EQ(result.config.auth.refuse_for_ns, kNsPerHour);
}

TEST(ConfigAuth, Errors) {
  const std::string relay = "relay_from = \"127.0.0.1\"\n";
  const auto errors = [](const std::string& keys) { return ReadAuthListener(keys).errors; };
  EXPECT_THAT(errors(relay + "auth = \"always\"\n"),
              ElementsAre("f:5:8: \"always\" is no way to use AUTH; expected \"none\", "
                          "\"offered\" or \"required\""));
  EXPECT_THAT(errors("auth = \"offered\"\ntls_certificate = \"c\"\n"),
              ElementsAre(HasSubstr("f:4:8: nobody is known who could authenticate himself; "
                                    "expected \"auth_users\"")));
  EXPECT_THAT(errors("auth = \"offered\"\nauth_users = \"u\"\n"),
              ElementsAre(HasSubstr("f:4:8: passwords are taken over TLS only")));
  EXPECT_THAT(errors(relay + "auth_users = \"u\"\nauth_without_tls = true\n"),
              ElementsAre(HasSubstr("f:5:14: \"auth_users\" has no use here"),
                          HasSubstr("f:6:20: \"auth_without_tls\" has no use here")));
  EXPECT_THAT(errors("auth = \"none\"\n"), ElementsAre(HasSubstr("has no \"relay_from\"")));
  EXPECT_THAT(errors("auth = \"offered\"\nauth_users = \"\"\nauth_without_tls = true\n"),
              ElementsAre(HasSubstr("f:5:14: \"\" is not a path")));
  EXPECT_THAT(
      errors(relay + "[auth]\nmax_failures = 0\nrefuse_for = \"0s\"\nuser = \"u\"\n"),
      ElementsAre(HasSubstr("f:6:16: "), HasSubstr("f:7:14: "), HasSubstr("unknown key \"user\"")));
  EXPECT_THAT(ParseConfig("hostname = \"relay.example.com\"\n[[listener]]\n"
                          "address = \"unix:/run/x\"\nauth = \"offered\"\n",
                          "f")
                  .errors,
              ElementsAre(HasSubstr("f:4:8: \"auth\" means nothing at a unix socket")));
}

}  // namespace
}  // namespace outbox::core
