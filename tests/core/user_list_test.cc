// The file of users: what may stand in it, who may send as whom, and how much.
#include "core/user_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/password_hash.h"
#include "core/time.h"

namespace outbox::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// "secret" by sha512crypt with as few rounds as there may be, by yescrypt, by bcrypt, and by what
// nobody should use.
constexpr char kSha[] =
    "$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/"
    "otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/";
constexpr char kYescrypt[] =
    "$y$j9T$/iU6f3T8g8TCC06.WqFBY1$w69wZ/BlIeRGJx/mnEH26dlqOOpUcVdRfjeey.a32c9";
constexpr char kBcrypt[] = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
constexpr char kMd5[] = "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1";

std::string Line(const std::string& name, const std::string& options = "") {
  return name + ":" + kSha + (options.empty() ? "" : ":" + options) + "\n";
}

// The only error.
std::string ErrorOf(const std::string& text) {
  const UserListResult result = ParseUsers(text, "users");
  EXPECT_EQ(result.list, nullptr);
  EXPECT_THAT(result.errors, SizeIs(1));
  return result.errors.empty() ? "" : result.errors[0];
}

TEST(UserListTest, PasswordsOfEveryMethod) {
  for (const char* hash : {kSha, kYescrypt, kBcrypt, kMd5}) {
    EXPECT_EQ(PasswordHashProblem(hash), nullptr) << hash;
    EXPECT_TRUE(IsPasswordOf("secret", hash)) << hash;
    for (const std::string& wrong :
         {std::string("Secret"), std::string(), std::string("secret\0", 7), std::string(511, 's'),
          std::string(512, 's'), std::string("secre")}) {
      EXPECT_FALSE(IsPasswordOf(wrong, hash)) << hash;
    }
  }
  EXPECT_TRUE(IsWeakPasswordHash(kMd5));
  EXPECT_FALSE(IsWeakPasswordHash(kYescrypt));
  EXPECT_FALSE(IsWeakPasswordHash(kSha));
}

TEST(UserListTest, ReadsLines) {
  const UserListResult result = ParseUsers(
      "# our users\n\r\n" + Line("ann", "senders=ann@a.test,*@B.test messages=100/h") +
          "bob:!\r\n" + Line("c d@e.test", "recipients=5/min  senders=*") + "eve:*locked",
      "users");
  ASSERT_NE(result.list, nullptr) << result.errors[0];
  const UserList& list = *result.list;
  EXPECT_EQ(list.size(), 4u);
  const User* ann = list.Find("ann");
  ASSERT_NE(ann, nullptr);
  EXPECT_EQ(ann->hash, kSha);
  EXPECT_THAT(ann->senders, ElementsAre("ann@a.test", "*@b.test"));
  EXPECT_EQ(ann->messages, (Rate{100, kNsPerHour}));
  EXPECT_FALSE(ann->recipients.limited());
  ASSERT_NE(list.Find("c d@e.test"), nullptr);
  EXPECT_EQ(list.Find("c d@e.test")->recipients, (Rate{5, kNsPerMinute}));
  EXPECT_EQ(list.Find("bob")->hash, "");
  EXPECT_EQ(list.Find("eve")->hash, "");
  for (const char* nobody : {"Ann", "an", "ann ", "", "zoe"}) {
    EXPECT_EQ(list.Find(nobody), nullptr) << nobody;
  }
  // Whoever is not there is compared with one who is.
  for (const char* nobody : {"x", "y", "z"}) EXPECT_EQ(list.DecoyFor(nobody), kSha);
}

TEST(UserListTest, ANewFileWithNobody) {
  const UserListResult result = ParseUsers("", "users");
  ASSERT_NE(result.list, nullptr);
  EXPECT_EQ(result.list->size(), 0u);
  EXPECT_EQ(PasswordHashProblem(result.list->DecoyFor("x")), nullptr);
}

TEST(UserListTest, ErrorsSayWhereAndNoHash) {
  EXPECT_THAT(ErrorOf("\nann\n"),
              HasSubstr("users:2:1: the line has no \":\"; expected name:hash"));
  EXPECT_THAT(ErrorOf(Line("")), HasSubstr("users:1:1: \"\" is no user name"));
  EXPECT_THAT(ErrorOf(Line(" ann")), HasSubstr("no blank at either end"));
  EXPECT_THAT(ErrorOf(Line("a\tb")), HasSubstr("control characters"));
  EXPECT_THAT(ErrorOf(Line(std::string(256, 'a'))), HasSubstr("expected 1 to 255 bytes"));
  for (const char* hash : {"", "in-plain-text", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "$9$x$y"}) {
    const std::string error = ErrorOf("ann:" + std::string(hash) + "\n");
    EXPECT_THAT(error, HasSubstr("users:1:5: what stands there is no hash that libcrypt knows; "
                                 "expected one that \"mkpasswd -m yescrypt\" has made"));
    if (*hash != '\0') {
      EXPECT_EQ(error.find(hash), std::string::npos);
    }
  }
  const std::string cut = std::string(kSha).substr(0, 80);
  EXPECT_THAT(ErrorOf("ann:" + cut), HasSubstr("users:1:5: what stands there is not a whole hash"));
  EXPECT_THAT(ErrorOf(Line("ann") + Line("bob") + Line("ann")),
              HasSubstr("users:3:1: \"ann\" is the user of line 1, too"));
}

TEST(UserListTest, ErrorsInOptionsTellTheirColumn) {
  const size_t at = std::string("ann:").size() + std::string(kSha).size() + 2;
  const auto place = [&](size_t column) { return "users:1:" + std::to_string(at + column) + ": "; };
  EXPECT_THAT(ErrorOf(Line("ann", "admin=yes")),
              HasSubstr(place(0) + "\"admin=yes\" is no option"));
  EXPECT_THAT(ErrorOf(Line("ann", "messages=100")), HasSubstr(place(9) + "\"100\" is not a rate"));
  EXPECT_THAT(ErrorOf(Line("ann", "messages=1/h messages=2/h")), HasSubstr("expected it once"));
  for (const char* sender : {"", "ann", "@a.test", "ann@", "*ann@a.test", "a@b,", "ann@*.test"}) {
    EXPECT_THAT(ErrorOf(Line("ann", std::string("senders=x@y.test,") + sender)),
                HasSubstr(" is no sender; expected up to 1000 of user@domain, *@domain"))
        << sender;
  }
  EXPECT_THAT(ErrorOf(Line("ann", "senders=x@y.test,ann")), HasSubstr(place(17) + "\"ann\""));
}

TEST(UserListTest, AllErrorsButNoMoreThanAreRead) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "bad line\n";
  EXPECT_THAT(ParseUsers(text, "users").errors, SizeIs(20));
}

TEST(UserListTest, WhoMaySendAsWhom) {
  const auto may = [](const std::string& senders, const std::string& mailbox) {
    const UserListResult result =
        ParseUsers(Line("ann", senders.empty() ? "" : "senders=" + senders), "users");
    return result.list->Find("ann")->MaySendAs(mailbox);
  };
  EXPECT_TRUE(may("", "any@where.test"));
  EXPECT_TRUE(may("", ""));
  EXPECT_TRUE(may("*", "any@where.test"));
  EXPECT_TRUE(may("*", ""));
  EXPECT_TRUE(may("Ann@a.test", "ann@A.TEST"));
  EXPECT_FALSE(may("ann@a.test", "bob@a.test"));
  EXPECT_FALSE(may("ann@a.test", "ann@b.a.test"));
  EXPECT_FALSE(may("ann@a.test", "joann@a.test"));
  EXPECT_TRUE(may("*@a.test", "bob@a.test"));
  EXPECT_TRUE(may("*@a.test", "\"x@y\"@a.test"));
  EXPECT_FALSE(may("*@a.test", "bob@ba.test"));
  EXPECT_FALSE(may("*@a.test", "bob@x.a.test"));
  EXPECT_FALSE(may("*@a.test", "\"bob@a.test\"@b.test"));
  EXPECT_FALSE(may("*@a.test", ""));
  EXPECT_TRUE(may("ann@a.test,<>", ""));
  EXPECT_FALSE(may("<>", "ann@a.test"));
}

TEST(AllowanceTest, AllAtOnceThenEvenly) {
  Allowance allowance;
  const Rate rate{10, kNsPerMinute};
  int64_t now_ns = 1000 * kNsPerSecond;
  for (int i = 0; i < 10; ++i) ASSERT_EQ(allowance.Take(rate, now_ns), 0) << i;
  EXPECT_EQ(allowance.Take(rate, now_ns), now_ns + 6 * kNsPerSecond);
  EXPECT_EQ(allowance.Take(rate, now_ns + kNsPerSecond), now_ns + 6 * kNsPerSecond);
  now_ns += 6 * kNsPerSecond;
  EXPECT_EQ(allowance.Take(rate, now_ns), 0);
  EXPECT_EQ(allowance.Take(rate, now_ns), now_ns + 6 * kNsPerSecond);
  allowance.GiveBack(rate, 2);
  EXPECT_EQ(allowance.Take(rate, now_ns), 0);
  EXPECT_EQ(allowance.Take(rate, now_ns), 0);
  EXPECT_NE(allowance.Take(rate, now_ns), 0);
  now_ns += kNsPerHour;
  for (int i = 0; i < 10; ++i) ASSERT_EQ(allowance.Take(rate, now_ns), 0) << i;
  EXPECT_NE(allowance.Take(rate, now_ns), 0);
  EXPECT_EQ(allowance.Take(Rate{}, now_ns), 0);
}

// What was used up at a small rate is not held against a larger one for ever.
TEST(AllowanceTest, AnotherRateCounts) {
  Allowance allowance;
  const int64_t now_ns = 1000 * kNsPerSecond;
  EXPECT_EQ(allowance.Take({1, kNsPerDay}, now_ns), 0);
  EXPECT_EQ(allowance.Take({1, kNsPerDay}, now_ns), now_ns + kNsPerDay);
  EXPECT_EQ(allowance.Take({60, kNsPerMinute}, now_ns), now_ns + kNsPerSecond);
}

TEST(UserListTest, AReloadKeepsWhatIsLeft) {
  const auto before = ParseUsers(Line("ann", "messages=1/h") + Line("bob", "messages=1/h"), "u");
  const auto after = ParseUsers(Line("ann", "messages=1/h") + Line("eve", "messages=1/h"), "u");
  const User* ann = before.list->Find("ann");
  EXPECT_EQ(ann->use->messages.Take(ann->messages, kNsPerDay), 0);
  after.list->TakeUses(*before.list);
  const User* now = after.list->Find("ann");
  EXPECT_NE(now->use->messages.Take(now->messages, kNsPerDay), 0);
  const User* eve = after.list->Find("eve");
  EXPECT_EQ(eve->use->messages.Take(eve->messages, kNsPerDay), 0);
}

}  // namespace
}  // namespace outbox::core
