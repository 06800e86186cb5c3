// Keys: which are taken, what is said of the others.
#include "dkim/signer_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/dkim/rfc_keys.h"

namespace outbox::dkim {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// RFC 8463 A.3: over the same header fields, and the fields themselves without their signatures.
constexpr char kFields[] =
    "from:Joe SixPack <joe@football.example.com>\r\n"
    "to:Suzie Q <suzie@shopping.example.net>\r\n"
    "subject:Is dinner ready?\r\n"
    "date:Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "message-id:<20030712040037.46341.5F8J@football.example.com>\r\n";
constexpr char kBodyHash[] = "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=";

std::string SignatureOf(const SignerKey& key, const std::string& field) {
  Sha256 sha;
  sha.Update(kFields);
  sha.Update(field);
  std::string signature;
  EXPECT_TRUE(key.Sign(sha.Finish(), &signature));
  return Base64(signature);
}

TEST(SignerKeyTest, SignaturesOfRfc8463) {
  EXPECT_EQ(SignatureOf(*RfcEd25519Key(),
                        std::string("dkim-signature:v=1; a=ed25519-sha256; c=relaxed/relaxed; "
                                    "d=football.example.com; i=@football.example.com; q=dns/txt; "
                                    "s=brisbane; t=1528637909; h=from : to : subject : date : "
                                    "message-id : from : subject : date; ") +
                            kBodyHash),
            "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw"
            "==");
  EXPECT_EQ(SignatureOf(*RfcRsaKey(),
                        std::string("dkim-signature:v=1; a=rsa-sha256; c=relaxed/relaxed; "
                                    "d=football.example.com; i=@football.example.com; q=dns/txt; "
                                    "s=test; t=1528637909; h=from : to : subject : date : "
                                    "message-id : from : subject : date; ") +
                            kBodyHash),
            "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rp"
            "o1tFOeS9mPYQTnGdaSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY"
            "+8=");
}

TEST(SignerKeyTest, WhatIsKnownOfAKey) {
  EXPECT_EQ(RfcEd25519Key()->Record(),
            std::string("v=DKIM1; k=ed25519; p=") + kRfcEd25519Public);
  EXPECT_EQ(RfcRsaKey()->Record(), std::string("v=DKIM1; k=rsa; p=") + kRfcRsaPublic);
  EXPECT_EQ(RfcRsaKey()->bits(), 1024u);
  EXPECT_TRUE(RfcRsaKey()->slow());
  EXPECT_FALSE(RfcEd25519Key()->slow());
}

TEST(SignerKeyTest, ANewKeyIsReadAgain) {
  for (const KeyType type : {KeyType::kRsa, KeyType::kEd25519}) {
    std::string pem;
    const auto made = SignerKey::Generate(type, 1024, [&](std::string_view text) {
      pem = text;
      return core::OkStatus();
    });
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    EXPECT_THAT(pem, StartsWith("-----BEGIN PRIVATE KEY-----\n"));
    const auto read = SignerKey::FromPem(pem);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ((*read)->Record(), (*made)->Record());
    EXPECT_EQ((*read)->type(), type);
    EXPECT_EQ((*made)->bits(), type == KeyType::kRsa ? 1024u : 256u);
  }
  const auto not_saved = SignerKey::Generate(KeyType::kEd25519, 0, [](std::string_view) {
    return core::Status(core::StatusCode::kIoError, "the disk is full");
  });
  EXPECT_EQ(not_saved.status().message(), "the disk is full");
}

TEST(SignerKeyTest, WhatIsNoKey) {
  // 512 bits, and a key of the curve P-256.
  constexpr char kShort[] =
      "-----BEGIN RSA PRIVATE KEY-----\n"
      "MIIBOwIBAAJBALzKcmRw4l88OS4steRj3zhp6Kh+mBbsNIAQifWgXqGK3XHR04EL\n"
      "hU5/DdYO4pIsjUtWNMi+FWUipLeMlUDA7HcCAwEAAQJAZeUukJ+MzrIGerGPCtIM\n"
      "rLoc5LRPCjA6tdQ3YedIrA8F3HEC+1up2TJ75tFZ2IcDjXoOOt7YrDMZhBTLA2mC\n"
      "4QIhAN2lC9G2kKs0K6WVxJce0hWpEDBLEgaLjyA5g+24lIYFAiEA2g2+g2Ub1MUY\n"
      "ocOnXMcZEebmqQECCosYjoswaJgmVUsCIDqOOfsjgkDYvZc3ZAKQr+vtCEvZ6V81\n"
      "S5C14TbShtqJAiEA2P0uZdD7Bhvw7CEobhIO55qwVOQU5OsQT+FBFgS6uMsCIQDb\n"
      "pflzFrZTsBE/gcQlHoZq51d8Pua7JetMwl2WEsBqXA==\n"
      "-----END RSA PRIVATE KEY-----\n";
  constexpr char kCurve[] =
      "-----BEGIN PRIVATE KEY-----\n"
      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3V12y7E7OqeX1fDz\n"
      "4oMobbd4gd3/2mHMSrU5rivXLsihRANCAASJjk7CdaYNY8DzG68xRta2IlJoLfLH\n"
      "whZJLU4dEECh+ZR3yEQ4bQRcNSU+1MngevRXndfQ+k9oDLENmSqRJ2RR\n"
      "-----END PRIVATE KEY-----\n";
  const std::vector<std::pair<std::string, std::string>> files = {
      {"", "holds no key in PEM"},
      {"hello", "holds no key in PEM"},
      {"-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n",
       "holds no private key that can be read"},
      {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMCow\n-----END ENCRYPTED PRIVATE KEY-----\n",
       "holds a key that is encrypted"},
      {std::string(kRfcRsaPem).substr(0, 400), "holds no private key that can be read"},
      {kShort, "holds an RSA key of 512 bits"},
      {kCurve, "holds a key of another kind"},
  };
  for (const auto& [pem, problem] : files) {
    const auto key = SignerKey::FromPem(pem);
    ASSERT_FALSE(key.ok()) << pem;
    EXPECT_THAT(key.status().message(), StartsWith(problem + "; expected an RSA key of 1024 to "));
    EXPECT_THAT(key.status().message(), testing::Not(HasSubstr("MII")));
  }
}

}  // namespace
}  // namespace outbox::dkim
