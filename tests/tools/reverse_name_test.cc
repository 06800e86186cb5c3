// Names of addresses, and those that receivers take for a customer's line.
#include "tools/doctor/reverse_name.h"

#include <gtest/gtest.h>

#include <string>

namespace outbox::tools {
namespace {

core::IpAddress Address(const std::string& text) { return core::IpAddress::Parse(text).value(); }

TEST(ReverseNameTest, BothFamilies) {
  EXPECT_EQ(ReverseName(Address("192.0.2.1")), "1.2.0.192.in-addr.arpa");
  EXPECT_EQ(ReverseName(Address("2001:db8::567:89ab")),
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

TEST(ReverseNameTest, GenericNames) {
  for (const char* const name :
       {"host-192-0-2-71.example.net", "71.2.0.192.example.net", "192.0.2.71.example.net",
        "x192000002071.example.net", "p-0-2-71.example.net", "c0000247.example.net",
        "dyn-7.example.net", "a.dynamic.example.net", "pool12.example.net", "ppp7.example.net",
        "mail.cust.example.net", "unknown.example.net"}) {
    EXPECT_NE(GenericNameReason(name, Address("192.0.2.71")), "") << name;
  }
  for (const char* const name :
       {"mail.example.net", "mx71.example.net", "mta-2-71.example.net", "dynamo.example.net",
        "liverpool.example.net", "192-0-2-7.example.net", "relay1.static.example.net"}) {
    EXPECT_EQ(GenericNameReason(name, Address("192.0.2.71")), "") << name;
  }
  const core::IpAddress v6 = Address("2001:db8::1234:5678:9abc:def0");
  EXPECT_NE(GenericNameReason("ip-1234-5678-9abc-def0.example.net", v6), "");
  EXPECT_EQ(GenericNameReason("mail.example.net", v6), "");
  EXPECT_EQ(GenericNameReason("mail.example.net", Address("2001:db8::1")), "");
}

TEST(ReverseNameTest, WhatTheInternetCannotSee) {
  for (const char* const address : {"10.1.2.3", "127.0.0.1", "100.64.0.1", "192.168.1.1",
                                    "172.31.0.1", "169.254.1.1", "::1", "fd00::1", "fe80::1"}) {
    EXPECT_TRUE(IsPrivateAddress(Address(address))) << address;
  }
  for (const char* const address : {"192.0.2.1", "172.32.0.1", "11.0.0.1", "2001:db8::1"}) {
    EXPECT_FALSE(IsPrivateAddress(Address(address))) << address;
  }
}

}  // namespace
}  // namespace outbox::tools
