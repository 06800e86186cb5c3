// TLS peers that keep to the letter of the protocol and to nothing else, or not even to that: a
// stream gives them up soon, says why, and keeps little of what they say.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/tls_context.h"
#include "io/tls_stream.h"
#include "tests/io/hostile_tls_peer.h"
#include "tests/io/tls_certificates.h"

namespace outbox::io {
namespace {

using Step = TlsStream::Step;
using testing::HasSubstr;

// Our end and theirs: who is hostile, and which version is spoken.
struct Ends {
  const char* name;
  bool hostile_client;
  uint16_t version;
};

void PrintTo(const Ends& ends, std::ostream* out) { *out << ends.name; }

class HostileTls : public testing::TestWithParam<Ends> {
 protected:
  static void SetUpTestSuite() {
    if (certificates_ != nullptr) return;
    certificates_ = new TlsCertificates;
    certificates_->Issue("mail", "DNS:mail.example.net");
  }

  void SetUp() override {
    const Ends& ends = GetParam();
    step_ = Step::kNeedInput;
    if (ends.hostile_client) {
      peer_ = HostileTlsPeer::Client(ends.version);
      ours_ = TlsStream::Accept(certificates_->Server("mail"));
    } else {
      peer_ = HostileTlsPeer::Server(ends.version, certificates_->Chain("mail"),
                                     certificates_->Key("mail"));
      ours_ = TlsStream::Connect(&context_, {"192.0.2.1:25", "mail.example.net", "", false});
    }
  }

  // What our end says to a step of the handshake, with this input.
  std::string ShakeOurs(std::string_view input) {
    std::string memory(20000, '\0');
    TlsOutput out{memory};
    step_ = ours_->Handshake(&input, &out);
    return std::string(out.written());
  }
  void Shake() {
    std::string said;
    if (!GetParam().hostile_client) said = ShakeOurs({});
    for (int round = 0; round < 10; ++round) {
      if (!peer_->open()) peer_->Shake(said);
      const std::string wire = peer_->Wire();
      if (step_ != Step::kDone) said = ShakeOurs(wire);
    }
    ASSERT_TRUE(peer_->open());
    ASSERT_EQ(step_, Step::kDone) << ours_->error();
  }

  // Says it again and again, until our end has had enough; how often that was.
  template <typename Next>
  int SayAgain(int most, Next next) {
    for (int said = 1; said <= most; ++said) {
      Take(next());
      if (step_ == Step::kFailed || step_ == Step::kEnd) return said;
    }
    return most + 1;
  }
  // Our end reads what has come.
  void Take(const std::string& bytes) {
    std::string_view input = bytes;
    char text[4096];
    do {
      size_t size = 0;
      TlsOutput none;
      step_ = ours_->Read(&input, text, &size, &none);
      heard_.append(text, size);
    } while (step_ == Step::kDone);
  }
  // What our end would send with its next words.
  std::string Say(std::string_view text) {
    std::string memory(20000, '\0');
    TlsOutput out{memory};
    step_ = ours_->Write(&text, &out);
    return std::string(out.written());
  }
  bool is_new() const { return GetParam().version == TLS1_3_VERSION; }

  static TlsCertificates* certificates_;
  TlsClientContext context_{4};
  std::unique_ptr<TlsStream> ours_;
  std::unique_ptr<HostileTlsPeer> peer_;
  Step step_ = Step::kNeedInput;
  std::string heard_;
};

TlsCertificates* HostileTls::certificates_ = nullptr;

// In this order, which operands of + have not.
std::string InOrder(const std::vector<std::string>& records) {
  std::string all;
  for (const std::string& record : records) all += record;
  return all;
}

constexpr Ends kClient12{"Client12", true, TLS1_2_VERSION};
constexpr Ends kClient13{"Client13", true, TLS1_3_VERSION};
constexpr Ends kServer12{"Server12", false, TLS1_2_VERSION};
constexpr Ends kServer13{"Server13", false, TLS1_3_VERSION};

std::string NameOf(const testing::TestParamInfo<Ends>& ends) { return ends.param.name; }

INSTANTIATE_TEST_SUITE_P(Ends, HostileTls,
                         testing::Values(kClient12, kClient13, kServer12, kServer13), NameOf);
// What TLS 1.2 has not.
class HostileNewTls : public HostileTls {};
INSTANTIATE_TEST_SUITE_P(Ends, HostileNewTls, testing::Values(kClient13, kServer13), NameOf);
class HostileNewServer : public HostileTls {};
INSTANTIATE_TEST_SUITE_P(Ends, HostileNewServer, testing::Values(kServer13), NameOf);

// --- Behind the handshake ---

TEST_P(HostileTls, TextThatIsSealedByHandIsHeard) {  // else the others would prove nothing
  Shake();
  const std::string text(40'000, 'x');
  Take(InOrder({peer_->SealText("EHLO\r\n"), peer_->SealText(text)}));
  EXPECT_EQ(heard_, "EHLO\r\n" + text);
  EXPECT_EQ(peer_->Hear(Say("250 ok\r\n")), "250 ok\r\n");
}

TEST_P(HostileTls, AFloodOfWarningsIsFatalBeforeTheTenth) {
  Shake();
  EXPECT_LT(SayAgain(1000, [&] { return peer_->Seal(kTlsAlert, kTlsWarning); }), 10);
  EXPECT_EQ(ours_->error(), "too many warning alerts");
}

TEST_P(HostileTls, AFloodOfEmptyRecordsIsFatalBeforeTheFortieth) {
  Shake();
  EXPECT_LT(SayAgain(1000, [&] { return peer_->Seal(kTlsData, ""); }), 40);
  EXPECT_EQ(ours_->error(), "too many empty fragments");
}

TEST_P(HostileNewTls, AFloodOfKeyUpdatesIsFatalBeforeTheFortieth) {
  Shake();
  EXPECT_LT(SayAgain(1000, [&] { return peer_->SealKeyUpdate(); }), 40);
  EXPECT_EQ(ours_->error(), "too many key updates");
}

// Text between them makes them good ones: each is taken, and one answer is enough for all.
TEST_P(HostileNewTls, ThousandsOfKeyUpdatesWithTextBetweenGetOneAnswer) {
  Shake();
  for (int i = 0; i < 3000; ++i) Take(InOrder({peer_->SealKeyUpdate(), peer_->SealText("x")}));
  EXPECT_EQ(heard_.size(), 3000u);
  const std::string said = Say("250 ok\r\n");
  EXPECT_LT(said.size(), 1000u);  // tickets, and one answer instead of 3,000
  EXPECT_EQ(peer_->Hear(said), "250 ok\r\n");
}

TEST_P(HostileTls, RenegotiationIsRefusedAndTheEnd) {
  Shake();
  const std::string hello = GetParam().hostile_client
                                ? std::string("\x01\0\0\x2b\x03\x03", 6) + std::string(32, 'r') +
                                      std::string("\0\0\x02\xc0\x2b\x01\0\0\0", 9)
                                : std::string(kTlsHelloRequest);
  Take(peer_->Seal(kTlsHandshake, hello));
  EXPECT_EQ(step_, Step::kFailed);
  EXPECT_EQ(ours_->error(), is_new() ? "unexpected message" : "no renegotiation");
}

TEST_P(HostileTls, AFatalAlertIsTheEndAndNoEndOfTheStream) {
  Shake();
  Take(InOrder({peer_->SealText("DATA\r\n"), peer_->Seal(kTlsAlert, kTlsFatal)}));
  EXPECT_EQ(heard_, "DATA\r\n");
  EXPECT_EQ(step_, Step::kFailed);
  EXPECT_THAT(ours_->error(), HasSubstr("internal error"));
}

TEST_P(HostileTls, WordsBehindTheEndAreNotHeard) {
  Shake();
  Take(InOrder({peer_->Seal(kTlsAlert, kTlsCloseNotify), peer_->SealText("MAIL FROM:<>\r\n")}));
  EXPECT_EQ(step_, Step::kEnd);
  EXPECT_EQ(heard_, "");
}

TEST_P(HostileTls, WordsInTheClearAreFatal) {
  Shake();
  Take(HostileTlsPeer::Plain(kTlsData, "MAIL FROM:<>\r\n"));
  EXPECT_EQ(step_, Step::kFailed);
  EXPECT_EQ(heard_, "");
}

TEST_P(HostileTls, ARecordThatIsSaidTwiceIsFatal) {
  Shake();
  const std::string record = peer_->SealText("RSET\r\n");
  Take(record + record);
  EXPECT_EQ(step_, Step::kFailed);
  EXPECT_EQ(heard_, "RSET\r\n");
}

TEST_P(HostileTls, AnUnknownKindOfRecordIsFatal) {
  Shake();
  Take(peer_->Seal(99, "?"));
  EXPECT_EQ(step_, Step::kFailed);
}

TEST_P(HostileTls, NoiseBehindTheHandshakeIsFatalAtItsFirstRecord) {
  Shake();
  core::Random random(7);
  std::string noise(100'000, '\0');
  for (char& c : noise) c = static_cast<char>(random.Below(256));
  Take(noise);
  EXPECT_EQ(step_, Step::kFailed);
  EXPECT_EQ(heard_, "");
}

// --- Before it ---

TEST_P(HostileTls, WarningsInsteadOfAHandshakeAreFatalBeforeTheTenth) {
  int said = 0;
  while (step_ != Step::kFailed && ++said < 1000) {
    ShakeOurs(HostileTlsPeer::Plain(kTlsAlert, kTlsWarning));
  }
  EXPECT_LT(said, 10);
  EXPECT_EQ(ours_->error(), "too many warning alerts");
}

TEST_P(HostileTls, EmptyRecordsInsteadOfAHandshakeAreFatalBeforeTheFortieth) {
  int said = 0;
  while (step_ != Step::kFailed && ++said < 1000) {
    ShakeOurs(HostileTlsPeer::Plain(kTlsHandshake, ""));
  }
  EXPECT_LT(said, 40);
}

// The length of a message comes first, and no more of it is kept than may be.
TEST_P(HostileTls, AHelloOf16MegabytesIsFatalBeforeItHasCome) {
  const std::string head = std::string(1, GetParam().hostile_client ? '\1' : '\2') + "\xff\xff\xff";
  std::string said = HostileTlsPeer::Plain(kTlsHandshake, head + std::string(12'000, 'x'));
  size_t kilobytes = 0;
  while (step_ != Step::kFailed && kilobytes < 16'384) {
    ShakeOurs(said);
    said = HostileTlsPeer::Plain(kTlsHandshake, std::string(16'384, 'x'));
    kilobytes += 16;
  }
  EXPECT_LE(kilobytes, 48u);
  EXPECT_EQ(ours_->error(), "excessive message size");
}

TEST_P(HostileTls, ARecordThatIsTooLongIsFatalByItsLength) {
  ShakeOurs(std::string_view("\x16\x03\x01\xff\xff", 5));
  EXPECT_EQ(step_, Step::kFailed);
}

TEST_P(HostileTls, NoiseIsNoHandshake) {
  core::Random random(11);
  for (int i = 0; i < 300; ++i) {
    SetUp();
    if (!GetParam().hostile_client) ShakeOurs({});
    std::string noise(20'000, '\0');
    for (char& c : noise) c = static_cast<char>(random.Below(256));
    // Some of it looks like a record at first.
    if (i % 2 == 0) noise.replace(0, 3, "\x16\x03\x01");
    if (i % 3 == 0) noise[3] = '\0';
    ShakeOurs(noise);
    ASSERT_EQ(step_, Step::kFailed) << i;
    ASSERT_FALSE(ours_->error().empty());
    ASSERT_FALSE(ours_->facts().on());
  }
}

// The bytes of a good handshake, with one of them another one: it fails or it does not, but nobody
// takes words of somebody else.
TEST_P(HostileTls, AHandshakeThatWasTamperedWithDoesNotComeToItsEnd) {
  for (size_t at = 0;; at += 7) {
    SetUp();
    std::string said;
    bool tampered = false;
    if (!GetParam().hostile_client) said = ShakeOurs({});
    for (int round = 0; round < 6 && step_ != Step::kFailed; ++round) {
      if (!peer_->open()) peer_->Shake(said);
      std::string wire = peer_->Wire();
      if (!tampered && at < wire.size()) {
        // Not the version of a record, which nobody looks at in some of them.
        if (at % 5 != 1 && at % 5 != 2) wire[at] = static_cast<char>(wire[at] ^ 0x41);
        tampered = true;
      }
      if (wire.empty()) break;
      if (step_ != Step::kDone) said = ShakeOurs(wire);
    }
    if (!tampered) break;
    if (step_ == Step::kDone && peer_->open()) {
      Take(peer_->SealText("hello"));
      ASSERT_TRUE(heard_.empty() || heard_ == "hello");
      heard_.clear();
    }
  }
}

// --- What a server leaves behind ---

TEST_P(HostileNewServer, AThousandTicketsLeaveFour) {
  Shake();
  for (int i = 0; i < 1000; ++i) Take(peer_->SealTicket(1000));
  EXPECT_EQ(step_, Step::kNeedInput) << ours_->error();
  EXPECT_EQ(context_.servers(), 1u);
  EXPECT_LE(context_.bytes(), 4u * 8192);
}

TEST(TlsSessions, WhatAllServersTogetherLeaveIsBounded) {
  TlsCertificates certificates;
  certificates.Issue("mail", "DNS:mail.example.net");
  TlsClientContext context(1000, 100'000);
  for (int server = 0; server < 30; ++server) {
    const auto peer = HostileTlsPeer::Server(TLS1_3_VERSION, certificates.Chain("mail"),
                                             certificates.Key("mail"));
    const auto ours = TlsStream::Connect(&context, {std::to_string(server), "", "", false});
    std::string said;
    for (int round = 0; round < 4; ++round) {
      std::string memory(20000, '\0');
      TlsOutput out{memory};
      const std::string wire = peer->Wire();
      std::string_view input = wire;
      ours->Handshake(&input, &out);
      if (!peer->open()) peer->Shake(out.written());
    }
    ASSERT_TRUE(peer->open() && ours->facts().on());
    std::string tickets;
    for (int i = 0; i < 8; ++i) tickets += peer->SealTicket(10'000);
    std::string_view input = tickets;
    char text[100];
    size_t size = 0;
    TlsOutput none;
    EXPECT_EQ(ours->Read(&input, text, &size, &none), Step::kNeedInput) << ours->error();
    EXPECT_LE(context.bytes(), 100'000u);
  }
  EXPECT_GE(context.servers(), 1u);
  EXPECT_LE(context.servers(), 3u);
}

}  // namespace
}  // namespace outbox::io
