// What an AUTH exchange is made of: base64, HMAC-MD5, and a secret that is said back.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "io/hmac_md5.h"
#include "smtp/base64.h"
#include "smtp/secret_echo.h"

namespace outbox::smtp {
namespace {

std::string Encode(std::string_view octets, size_t piece = SIZE_MAX) {
  char memory[4096];
  OutputBuffer out{memory};
  Base64Writer word(&out);
  for (; !octets.empty(); octets.remove_prefix(std::min(piece, octets.size()))) {
    word.Append(octets.substr(0, piece));
  }
  word.Finish();
  return std::string(out.written());
}

TEST(Base64Test, TheExamplesOfTheRfc) {
  const struct {
    const char* octets;
    const char* word;
  } cases[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"}};
  for (const auto& [octets, word] : cases) {
    EXPECT_EQ(Encode(octets), word);
    EXPECT_EQ(Encode(octets, 1), word);
    EXPECT_EQ(Base64Size(std::string_view(octets).size()), std::string_view(word).size());
    char back[8];
    size_t size = 0;
    ASSERT_TRUE(DecodeBase64(word, back, &size)) << word;
    EXPECT_EQ(std::string_view(back, size), octets);
  }
}

TEST(Base64Test, AllOctetsThereAndBack) {
  std::string all;
  for (int i = 0; i < 1000; ++i) all += static_cast<char>(i * 7);
  for (size_t size = 0; size < all.size(); ++size) {
    char back[1000];
    size_t got = 0;
    ASSERT_TRUE(DecodeBase64(Encode(all.substr(0, size)), back, &got));
    EXPECT_EQ(std::string_view(back, got), all.substr(0, size));
  }
}

TEST(Base64Test, WhatIsNone) {
  char back[8];
  size_t size = 0;
  for (const char* word : {"Zg", "Zg=", "Zm9", "Zg==Zg==", "Z===", "====", "Zm9v\n", "Zm 9", "Zm-_",
                           "Zh==", "Zm9=", "=Zm9", "Zm\xffv", "*"}) {
    EXPECT_FALSE(DecodeBase64(word, back, &size)) << word;
  }
  EXPECT_FALSE(DecodeBase64("AAAAAAAAAAAA", back, &size));  // nine octets
}

std::string Hex(const io::HmacMd5Digest& digest) {
  std::string out;
  for (const uint8_t octet : digest) {
    out += "0123456789abcdef"[octet >> 4];
    out += "0123456789abcdef"[octet & 15];
  }
  return out;
}

// RFC 2202 2, RFC 2195 2.
TEST(HmacMd5Test, TheExamplesOfTheRfcs) {
  EXPECT_EQ(Hex(io::HmacMd5(std::string(16, 0x0b), "Hi There")),
            "9294727a3638bb1c13f48ef8158bfc9d");
  EXPECT_EQ(Hex(io::HmacMd5("Jefe", "what do ya want for nothing?")),
            "750c783e6ab0b503eaa86e310a5db738");
  EXPECT_EQ(Hex(io::HmacMd5(std::string(16, '\xaa'), std::string(50, '\xdd'))),
            "56be34521d144c88dbb8c733f0e8b3f6");
  EXPECT_EQ(Hex(io::HmacMd5(std::string(80, '\xaa'),
                            "Test Using Larger Than Block-Size Key - Hash Key First")),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
  EXPECT_EQ(Hex(io::HmacMd5("tanstaaftanstaaf", "<1896.697170952@postoffice.reston.mci.net>")),
            "b913a602c7eda7a495b4e6e7334d3890");
}

std::string Hidden(std::string text, std::string_view secret) {
  HideSecret({text.data(), text.size()}, secret);
  return text;
}

TEST(SecretEchoTest, IsHiddenInEachForm) {
  const std::string secret = "hunter22";
  const std::string plain = Encode(std::string("\0alice\0hunter22", 15));
  EXPECT_EQ(Hidden("500 Command unrecognized: \"" + plain + "\"\r\n", secret),
            "500 Command unrecognized: \"" + std::string(plain.size(), '*') + "\"\r\n");
  EXPECT_EQ(Hidden("535 no: " + Encode(secret) + "\r\n", secret),
            "535 no: " + std::string(11, '*') + "=\r\n");
  EXPECT_EQ(Hidden("535 no: hunter22, hunter22\r\n", secret), "535 no: ********, ********\r\n");
  for (size_t user = 0; user < 9; ++user) {  // however it lies in the groups
    const std::string word = Encode(std::string(user, 'u') + secret);
    EXPECT_EQ(Hidden(word, secret).find_first_not_of("*="), std::string::npos) << word;
  }
}

TEST(SecretEchoTest, OtherWordsStay) {
  const std::string said =
      "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6\r\n334 VXNlcm5hbWU6\r\n";
  EXPECT_EQ(Hidden(said, "hunter22"), said);
  EXPECT_EQ(Hidden("535 5.7.8 no\r\n", "5"), "535 5.7.8 no\r\n");
  EXPECT_EQ(Hidden("", "hunter22"), "");
}

}  // namespace
}  // namespace outbox::smtp
