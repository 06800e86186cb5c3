// Addresses and networks as an operator writes them, and as they are printed again.
#include "core/ip_address.h"

#include <gtest/gtest.h>

namespace outbox::core {
namespace {

TEST(IpAddress, ReadsAndPrints) {
  struct Case {
    const char* text;
    const char* printed;
    const char* literal;
    bool v4;
  };
  const Case cases[] = {
      {"192.0.2.1", "192.0.2.1", "192.0.2.1", true},
      {"0.0.0.0", "0.0.0.0", "0.0.0.0", true},
      {"255.255.255.255", "255.255.255.255", "255.255.255.255", true},
      {"::1", "::1", "IPv6:::1", false},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", "IPv6:2001:db8::1", false},
      {"::ffff:10.1.2.3", "10.1.2.3", "10.1.2.3", true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Result<IpAddress> address = IpAddress::Parse(c.text);
    ASSERT_TRUE(address.ok()) << address.status().ToString();
    EXPECT_EQ(address->ToString(), c.printed);
    EXPECT_EQ(address->ToLiteral(), c.literal);
    EXPECT_EQ(address->is_v4(), c.v4);
    EXPECT_EQ(*IpAddress::Parse(address->ToString()), *address);
  }
}

TEST(IpAddress, RefusesWhatIsNone) {
  const std::string_view texts[] = {"",
                                    "localhost",
                                    "192.0.2",
                                    "192.0.2.256",
                                    "192.0.2.01",
                                    "1.2.3.4 ",
                                    "[::1]",
                                    "::1%lo",
                                    "1.2.3.4:25",
                                    "12345::",
                                    ":::1",
                                    "1.2.3.4.5",
                                    std::string_view("1.2.3.4\0x", 9)};
  for (const std::string_view text : texts) EXPECT_FALSE(IpAddress::Parse(text).ok()) << text;
  EXPECT_EQ(IpAddress::Parse("here").status().message(),
            "\"here\" is not an IP address; expected for example \"192.0.2.1\" or "
            "\"2001:db8::1\"");
}

TEST(IpAddress, AUserOfThisMachineIsNoHost) {
  const IpAddress user = IpAddress::LocalUser(4'000'000'033);
  EXPECT_TRUE(user.is_local_user());
  EXPECT_FALSE(user.is_v4() || user.is_loopback() || user.is_any());
  EXPECT_EQ(user.ToString(), "uid:4000000033");
  EXPECT_NE(user, IpAddress::LocalUser(33));
  for (const char* text : {"::/0", "ff00::/8", "127.0.0.0/8"}) {
    EXPECT_FALSE(Network::Parse(text)->Contains(user)) << text;
  }
  EXPECT_FALSE(IpAddress::Parse("ff02::1")->is_local_user());
  EXPECT_FALSE(IpAddress::Parse("uid:33").ok());
}

TEST(IpAddress, KnowsLoopbackAndAny) {
  EXPECT_TRUE(IpAddress::Parse("127.8.9.10")->is_loopback());
  EXPECT_TRUE(IpAddress::Parse("::1")->is_loopback());
  EXPECT_FALSE(IpAddress::Parse("128.0.0.1")->is_loopback());
  EXPECT_TRUE(IpAddress::Parse("0.0.0.0")->is_any());
  EXPECT_TRUE(IpAddress().is_any());
  EXPECT_FALSE(IpAddress::Parse("::2")->is_any());
}

TEST(SocketAddress, ReadsAndPrints) {
  EXPECT_EQ(SocketAddress::Parse("192.0.2.1:25")->ToString(), "192.0.2.1:25");
  EXPECT_EQ(SocketAddress::Parse("[2001:db8::1]:2525")->ToString(), "[2001:db8::1]:2525");
  EXPECT_EQ(SocketAddress::Parse("192.0.2.1", 25)->ToString(), "192.0.2.1:25");
  EXPECT_EQ(SocketAddress::Parse("2001:db8::1", 25)->ToString(), "[2001:db8::1]:25");
  EXPECT_EQ(SocketAddress::Parse("[2001:db8::1]", 25)->ToString(), "[2001:db8::1]:25");
  EXPECT_EQ(SocketAddress::Parse("127.0.0.1:0")->port, 0);
}

TEST(SocketAddress, RefusesWhatIsNone) {
  const char* texts[] = {
      "",           ":25",        "192.0.2.1",    "192.0.2.1:", "host:25",       "::1",
      "[::1]",      "[::1]25",    "[::1]:",       "[::1",       "192.0.2.1:025", "192.0.2.1:65536",
      "1.2.3.4:-1", "1.2.3.4:+1", "[1.2.3.4]:25", "[::1]x:25"};
  for (const char* text : texts) EXPECT_FALSE(SocketAddress::Parse(text).ok()) << text;
  EXPECT_FALSE(SocketAddress::Parse("[::1]x", 25).ok());
}

TEST(Network, Contains) {
  struct Case {
    const char* network;
    const char* address;
    bool inside;
  };
  const Case cases[] = {
      {"127.0.0.0/8", "127.255.255.255", true},
      {"127.0.0.0/8", "128.0.0.0", false},
      {"10.32.0.0/11", "10.63.255.255", true},
      {"10.32.0.0/11", "10.64.0.0", false},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.0", false},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "2001:db8::1", false},
      {"::/0", "2001:db8::1", true},
      {"::/0", "203.0.113.9", false},
      {"2001:db8::/33", "2001:db8:7fff::", true},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"::1", "::1", true},
      {"::1", "::2", false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Network::Parse(c.network)->Contains(*IpAddress::Parse(c.address)), c.inside)
        << c.network << " and " << c.address;
  }
}

TEST(Network, ReadsAndPrints) {
  for (const char* text :
       {"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1", "::/0", "0.0.0.0/0"}) {
    EXPECT_EQ(Network::Parse(text)->ToString(), text);
  }
  EXPECT_EQ(Network::Parse("10.0.0.0/8")->prefix_length(), 8);
  EXPECT_EQ(Network::Parse("::ffff:10.0.0.0/104")->ToString(), "10.0.0.0/8");
  EXPECT_EQ(Network::Parse("fc00::/7")->prefix_length(), 7);
}

TEST(Network, RefusesWhatIsNone) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "::/129", "10/8",
                           "10.0.0.0/-1", "10.0.0.0/8 ", "::ffff:0:0/90"}) {
    EXPECT_FALSE(Network::Parse(text).ok()) << text;
  }
  EXPECT_EQ(Network::Parse("10.1.2.3/8").status().message(),
            "\"10.1.2.3/8\" is not a network; expected zeros behind the prefix length");
}

}  // namespace
}  // namespace outbox::core
