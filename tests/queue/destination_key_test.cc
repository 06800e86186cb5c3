// Keys of destinations: what the router writes is what the owner reads, and nothing else is taken.
#include "queue/destination_key.h"

#include <gtest/gtest.h>

#include <string>

#include "core/config_rules.h"
#include "core/secret.h"
#include "queue/route_credentials.h"

namespace outbox::queue {
namespace {

std::string Mx(std::string_view domain, uint16_t port) {
  std::string key = "left over";
  WriteMxKey(domain, port, &key);
  return key;
}

TEST(DestinationKeyTest, DomainsWithTheirPort) {
  EXPECT_EQ(Mx("example.com", 25), "mx:example.com");
  EXPECT_EQ(Mx("example.com", 2525), "mx:example.com:2525");
  EXPECT_EQ(Mx("[ipv6:2001:db8::1]", 25), "mx:[ipv6:2001:db8::1]");
  for (const char* domain : {"example.com", "[192.0.2.1]", "[ipv6:2001:db8::1]"}) {
    for (const uint16_t port : {uint16_t{25}, uint16_t{2525}}) {
      const DestinationKey key = ParseDestinationKey(Mx(domain, port));
      EXPECT_TRUE(key.valid() && key.via_mx());
      EXPECT_FALSE(key.all_addresses());
      EXPECT_EQ(key.domain, domain);
      EXPECT_EQ(key.port, port);
      EXPECT_TRUE(key.hosts.empty());
    }
  }
}

TEST(DestinationKeyTest, HostsInTheirOrder) {
  const std::string text = "via:10.1.2.3:25,backup.example.net:2525,[2001:db8::1]:26";
  const DestinationKey key = ParseDestinationKey(text);
  EXPECT_TRUE(key.valid());
  EXPECT_FALSE(key.via_mx());
  EXPECT_FALSE(key.all_addresses());
  ASSERT_EQ(key.hosts.size(), 3u);
  EXPECT_TRUE(key.hosts[0].is_address);
  EXPECT_EQ(key.hosts[1].host, "backup.example.net");
  EXPECT_EQ(key.hosts[1].port, 2525);
  EXPECT_EQ(HostText(key.hosts[1]), "backup.example.net:2525");
  EXPECT_EQ(HostText(key.hosts[2]), "[2001:db8::1]:26");
  EXPECT_EQ(ViaKey(key.hosts), text);
  EXPECT_TRUE(ParseDestinationKey("via:10.1.2.3:25,[::1]:25").all_addresses());
}

TEST(DestinationKeyTest, HowItIsEncrypted) {
  const core::TlsMode modes[] = {core::TlsMode::kNone, core::TlsMode::kOpportunistic,
                                 core::TlsMode::kRequired, core::TlsMode::kImplicit,
                                 core::TlsMode::kVerify};
  for (const std::string head : {"mx:example.com:2525", "via:10.1.2.3:25,[2001:db8::1]:26"}) {
    for (const std::string bind : {"", "@192.0.2.7"}) {
      for (const core::TlsMode mode : modes) {
        const DestinationKey key = ParseDestinationKey(head + bind + TlsSuffix(mode));
        EXPECT_TRUE(key.valid());
        EXPECT_EQ(key.tls, mode);
        EXPECT_EQ(BindSuffix(key.bind), bind);
        EXPECT_EQ(key.via_mx() ? key.port : key.hosts[1].port, key.via_mx() ? 2525 : 26);
      }
    }
  }
  EXPECT_EQ(TlsSuffix(core::TlsMode::kOpportunistic), "");
  EXPECT_EQ(TlsSuffix(core::TlsMode::kVerify), "#verify");
  // What asks for something that we do not know must not go without it.
  EXPECT_FALSE(ParseDestinationKey("mx:example.com#dane").valid());
  EXPECT_FALSE(ParseDestinationKey("via:10.1.2.3:25#").valid());
}

TEST(DestinationKeyTest, WhoWeAre) {
  for (const std::string head :
       {"mx:example.com:2525", "mx:example.com", "via:10.1.2.3:25,x.y:26"}) {
    for (const std::string rest :
         {"", "@192.0.2.7", "#verify", "@192.0.2.7#required", "@news-1#verify~+=", "~-+"}) {
      const DestinationKey nobody = ParseDestinationKey(head + rest);
      EXPECT_EQ(nobody.user, "");
      // Whatever stands in the name.
      for (const std::string user :
           {"me", "me@example.com", "a|b#none@192.0.2.9", "@x~+=", "#", " ", "|"}) {
        const DestinationKey key = ParseDestinationKey(head + rest + UserSuffix(user));
        EXPECT_TRUE(key.valid());
        EXPECT_EQ(key.user, user);
        EXPECT_EQ(key.tls, nobody.tls);
        EXPECT_EQ(key.source, nobody.source);
        EXPECT_EQ(key.verp, nobody.verp);
        EXPECT_EQ(BindSuffix(key.bind), BindSuffix(nobody.bind));
        EXPECT_EQ(key.domain, nobody.domain);
        EXPECT_EQ(key.port, nobody.port);
        EXPECT_EQ(ViaKey(key.hosts), ViaKey(nobody.hosts));
      }
    }
  }
  EXPECT_EQ(UserSuffix(""), "");
  // Somebody was meant: it must not go as nobody.
  EXPECT_FALSE(ParseDestinationKey("via:10.1.2.3:25|").valid());
}

TEST(RouteCredentialsTest, AUserIsOneAtHisHostsOnly) {
  core::Config config;
  const auto add = [&config](const std::string& host, const std::string& user,
                             const std::string& secret) {
    core::RouteConfig route;
    if (host == "mx") {
      route.via_mx = true;
    } else {
      route.via.resize(1);
      EXPECT_TRUE(core::ParseViaHost(host, route.via.data()));
    }
    route.auth.user = user;
    route.auth.secret = core::Secret::Copy(secret);
    route.auth.plain_in_clear = secret == "one";
    config.routes.push_back(route);
  };
  add("a.example:587", "me", "one");
  add("b.example:587", "me", "two");
  add("a.example:587", "you", "three");
  add("mx", "me", "four");
  const auto credentials = RouteCredentials::Make(config);
  const auto secret = [&](const std::string& key) {
    const smtp::ClientCredentials found = credentials->For(ParseDestinationKey(key));
    if (!found.wanted()) return std::string("nobody");
    return found.user + ":" + std::string(found.secret ? found.secret->text() : "gone");
  };
  EXPECT_EQ(secret("via:a.example:587|me"), "me:one");
  EXPECT_EQ(secret("via:a.example:587@192.0.2.1#verify|me"), "me:one");
  EXPECT_EQ(secret("via:b.example:587|me"), "me:two");
  EXPECT_EQ(secret("via:a.example:587|you"), "you:three");
  EXPECT_EQ(secret("mx:c.example|me"), "me:four");
  EXPECT_EQ(secret("mx:d.example:587#none|me"), "me:four");
  EXPECT_EQ(secret("via:a.example:587"), "nobody");
  for (const char* key : {"via:a.example:25|me", "via:a.example:587,b.example:587|me",
                          "via:b.example:587|you", "via:a.example:587|Me", "mx:c.example|you"}) {
    EXPECT_EQ(secret(key).substr(secret(key).find(':')), ":gone") << key;
  }
  EXPECT_TRUE(credentials->For(ParseDestinationKey("via:a.example:587|me")).plain_in_clear);
  EXPECT_FALSE(credentials->For(ParseDestinationKey("via:b.example:587|me")).plain_in_clear);
}

TEST(DestinationKeyTest, AReturnPathForEachRecipient) {
  for (const std::string head : {"mx:example.com", "mx:example.com:2525", "mx:[192.0.2.1]",
                                 "via:10.1.2.3:25,[2001:db8::1]:26"}) {
    for (const std::string middle : {"", "@192.0.2.7", "#required", "@192.0.2.7#none"}) {
      const DestinationKey plain = ParseDestinationKey(head + middle);
      const DestinationKey key = ParseDestinationKey(head + middle + VerpSuffix("+="));
      EXPECT_TRUE(key.valid());
      EXPECT_EQ(key.verp, "+=");
      EXPECT_EQ(key.tls, plain.tls);
      EXPECT_EQ(key.bind, plain.bind);
      EXPECT_EQ(key.domain, plain.domain);
      EXPECT_EQ(key.port, plain.port);
      EXPECT_EQ(key.hosts.size(), plain.hosts.size());
      EXPECT_TRUE(plain.verp.empty());
      EXPECT_EQ(TicketRecipientsFor(head + middle + "~+="), 1u);
      EXPECT_EQ(TicketRecipientsFor(head + middle), core::kTicketRecipients);
      EXPECT_EQ(VerpOf(head + middle + "~-="), "-=");
      const DestinationKey user = ParseDestinationKey(head + middle + "~+=|me~-=");
      EXPECT_EQ(user.verp, "+=");
      EXPECT_EQ(user.user, "me~-=");
      EXPECT_EQ(VerpOf(head + middle + "|me~-="), "");
    }
  }
  EXPECT_EQ(VerpSuffix(""), "");
  for (const char* const none :
       {"lmtp:/run/a~+=", "maildir:/m/{user}~+=", "~+=", "x", "reject:~+="}) {
    EXPECT_EQ(VerpOf(none), "") << none;
  }
}

TEST(DestinationKeyTest, WhereMailIsDelivered) {
  EXPECT_TRUE(IsLastHop("lmtp:10.1.2.3:24"));
  EXPECT_TRUE(IsLastHop("maildir:/var/mail/{user}"));
  EXPECT_FALSE(IsLastHop("mx:example.com"));
  EXPECT_FALSE(IsLastHop("via:10.1.2.3:25"));
}

TEST(DestinationKeyTest, WhatIsNone) {
  for (const char* text :
       {"", "mx", "mx:", "via:", "via:,", "via:under score", "smtp:example.com",
        "mx:example.com:", "mx:example.com:0", "mx:example.com:65536", "mx:example.com:2x"}) {
    EXPECT_FALSE(ParseDestinationKey(text).valid()) << text;
  }
  // What is damaged in a list does not take the rest with it, and the list is bounded.
  EXPECT_EQ(ParseDestinationKey("via:1.2.3.4.5:25,10.1.2.3:25,,x:0").hosts.size(), 1u);
  std::string many = "via:";
  for (size_t i = 0; i < 2 * core::kConfigViaHosts; ++i) many += "10.0.0.1:25,";
  EXPECT_EQ(ParseDestinationKey(many).hosts.size(), core::kConfigViaHosts);
}

}  // namespace
}  // namespace outbox::queue
