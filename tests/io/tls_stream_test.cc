// TlsStream: two ends face to face in memory, with the bytes between them cut anywhere.
#include "io/tls_stream.h"

#include <algorithm>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "io/tls_context.h"
#include "tests/io/tls_certificates.h"

namespace outbox::io {
namespace {

using Step = TlsStream::Step;

std::string Text(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + (i >> 8));
  return text;
}

// One end, with its bytes on the way to the other.
struct End {
  std::unique_ptr<TlsStream> stream;
  std::string wire;  // for the other end
  Step step = Step::kNeedInput;
  bool open = false;

  // Runs `work` with room for `room` bytes at a time until it wants no more.
  template <typename Work>
  Step With(size_t room, Work work) {
    for (;;) {
      std::string memory(room, '\0');
      TlsOutput out{memory};
      const Step now = work(&out);
      wire.append(out.written());
      if (now != Step::kNeedRoom) return now;
    }
  }
  void Shake(std::string_view* input, size_t room) {
    if (open || step == Step::kFailed) return;
    step = With(room, [&](TlsOutput* out) { return stream->Handshake(input, out); });
    open = step == Step::kDone;
  }
  void Say(std::string_view text, size_t room = 20000) {
    EXPECT_EQ(With(room, [&](TlsOutput* out) { return stream->Write(&text, out); }), Step::kDone);
    EXPECT_TRUE(text.empty());
  }
  // All plain text of `input`.
  std::string Hear(std::string_view input, size_t room = 4096) {
    std::string heard;
    do {
      std::string memory(room, '\0');
      size_t size = 0;
      step = With(1000, [&](TlsOutput* out) { return stream->Read(&input, memory, &size, out); });
      heard.append(memory, 0, size);
    } while (step == Step::kDone);
    return heard;
  }
};

class TlsStreamTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    certificates_ = new TlsCertificates;
    certificates_->Issue("mail", "DNS:mail.example.net,IP:192.0.2.1");
    certificates_->Issue("other", "DNS:other.example.net,DNS:*.wild.example");
    certificates_->Issue("old", "DNS:mail.example.net", -1);
    certificates_->Make("lonely", "/CN=mail.example.net", "");
    certificates_->Make("rsa", "/CN=rsa", "", "rsa:2048");
  }
  static void TearDownTestSuite() {
    delete certificates_;
    certificates_ = nullptr;
  }

  void SetUp() override { client_context_.SetTrust(certificates_->Trust()); }

  void Start(const std::shared_ptr<const TlsServerContext>& server, const TlsPeer& peer) {
    client_ = End{TlsStream::Connect(&client_context_, peer), {}, Step::kNeedInput, false};
    server_ = End{TlsStream::Accept(server), {}, Step::kNeedInput, false};
    ASSERT_NE(client_.stream, nullptr);
    ASSERT_NE(server_.stream, nullptr);
  }
  // Both shake hands, with `piece` bytes at a time on the way.
  void Shake(size_t piece = 100000, size_t room = TlsStream::kRecordText) {
    std::string_view none;
    client_.Shake(&none, room);
    for (int round = 0; round < 100000; ++round) {
      if (Pass(&client_, &server_, piece, room)) continue;
      if (!Pass(&server_, &client_, piece, room)) break;
    }
  }
  bool Pass(End* from, End* to, size_t piece, size_t room) {
    if (from->wire.empty() || to->open) return false;
    const std::string bytes = from->wire.substr(0, piece);
    std::string_view input = bytes;
    to->Shake(&input, room);
    from->wire.erase(0, bytes.size() - input.size());
    return input.size() < bytes.size();
  }
  void Open(const TlsPeer& peer, const std::string& certificate = "mail") {
    Start(certificates_->Server(certificate), peer);
    Shake();
    ASSERT_TRUE(client_.open) << client_.stream->error();
    ASSERT_TRUE(server_.open) << server_.stream->error();
  }
  // Why the client would not go on.
  std::string Refusal(const TlsPeer& peer, const std::string& certificate) {
    Start(certificates_->Server(certificate), peer);
    Shake();
    EXPECT_EQ(client_.step, Step::kFailed);
    return client_.stream->error();
  }

  static TlsCertificates* certificates_;
  const TlsPeer anybody_{"192.0.2.1:25", "mail.example.net", "192.0.2.1", false};
  const TlsPeer verified_{"192.0.2.1:25", "mail.example.net", "192.0.2.1", true};
  TlsClientContext client_context_{4};
  End client_;
  End server_;
};

TlsCertificates* TlsStreamTest::certificates_ = nullptr;

TEST_F(TlsStreamTest, SaysAndHears) {
  Open(anybody_);
  client_.Say("EHLO client.example\r\n");
  EXPECT_EQ(server_.Hear(client_.wire), "EHLO client.example\r\n");
  EXPECT_EQ(server_.step, Step::kNeedInput);
  server_.Say("250 server.example\r\n");
  EXPECT_EQ(client_.Hear(server_.wire), "250 server.example\r\n");
  EXPECT_EQ(client_.stream->facts().version, "TLSv1.3");
  EXPECT_THAT(std::string(client_.stream->facts().cipher), testing::StartsWith("TLS_"));
  EXPECT_EQ(client_.stream->facts().cipher, server_.stream->facts().cipher);
  EXPECT_FALSE(client_.stream->facts().resumed);
}

TEST_F(TlsStreamTest, BytesCutAnywhereAreTheSameBytes) {
  const std::string text = Text(70000);
  for (const size_t piece : {1, 2, 3, 5, 7, 100, 1000, 4097, 100000}) {
    for (const size_t room : {200, 1000, 4096, 16384 + 128}) {
      SCOPED_TRACE(testing::Message() << piece << " at a time, room for " << room);
      Start(certificates_->Server("mail"), anybody_);
      Shake(piece, room);
      ASSERT_TRUE(client_.open && server_.open);
      client_.wire.clear();
      const std::string tickets = std::exchange(server_.wire, {});
      EXPECT_EQ(client_.Hear(tickets), "");
      client_.Say(text, room);
      std::string heard;
      for (size_t at = 0; at < client_.wire.size(); at += piece) {
        heard += server_.Hear(std::string_view(client_.wire).substr(at, piece), room);
      }
      ASSERT_TRUE(heard == text);
    }
  }
}

TEST_F(TlsStreamTest, TheEndIsSaidAndHeard) {
  Open(anybody_);
  client_.Say("QUIT\r\n");
  EXPECT_EQ(client_.With(1000, [&](TlsOutput* out) { return client_.stream->Close(out); }),
            Step::kDone);
  EXPECT_EQ(server_.Hear(client_.wire), "QUIT\r\n");
  EXPECT_EQ(server_.step, Step::kEnd);
}

TEST_F(TlsStreamTest, AStreamThatIsCutOffIsNoEnd) {
  Open(anybody_);
  client_.Say("DATA\r\n");
  const std::string cut = client_.wire.substr(0, client_.wire.size() - 1);
  EXPECT_EQ(server_.Hear(cut), "");
  EXPECT_EQ(server_.step, Step::kNeedInput);
}

TEST_F(TlsStreamTest, AByteThatWasChangedIsFatal) {
  Open(anybody_);
  client_.Say("MAIL FROM:<a@example.net>\r\n");
  char& byte = client_.wire[client_.wire.size() / 2];
  byte = static_cast<char>(byte ^ 1);
  EXPECT_EQ(server_.Hear(client_.wire), "");
  EXPECT_EQ(server_.step, Step::kFailed);
  EXPECT_FALSE(server_.stream->error().empty());
}

TEST_F(TlsStreamTest, PlainTextIsNoHandshake) {
  Start(certificates_->Server("mail"), anybody_);
  std::string_view input = "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.net>\r\n";
  server_.Shake(&input, 1000);
  EXPECT_EQ(server_.step, Step::kFailed);
  EXPECT_FALSE(server_.stream->error().empty());
  EXPECT_FALSE(server_.stream->facts().on());
}

TEST_F(TlsStreamTest, TheCertificateIsTheOneThatWasAskedFor) {
  const std::string chains[] = {certificates_->Chain("mail"), certificates_->Chain("other")};
  const std::string keys[] = {certificates_->Key("mail"), certificates_->Key("other")};
  const TlsIdentity both[] = {{chains[0], keys[0]}, {chains[1], keys[1]}};
  size_t bad = 0;
  const auto server = TlsServerContext::Create(both, &bad);
  ASSERT_TRUE(server.ok());
  for (const std::string name : {"mail.example.net", "other.example.net", "a.wild.example"}) {
    Start(*server, {"192.0.2.1:25", name, "192.0.2.1", true});
    Shake();
    EXPECT_TRUE(client_.open) << name << ": " << client_.stream->error();
  }
  // Nobody has this name: the first one.
  Start(*server, {"192.0.2.1:25", "unknown.example", "192.0.2.1", true});
  Shake();
  EXPECT_EQ(client_.stream->error(), "the certificate is not for unknown.example");
}

TEST_F(TlsStreamTest, VerifiesWhomItTrusts) {
  Open(verified_);
  EXPECT_EQ(Refusal({"a", "wrong.example.net", "", true}, "mail"),
            "the certificate is not for wrong.example.net");
  EXPECT_EQ(Refusal(verified_, "old"), "the certificate has expired");
  EXPECT_EQ(Refusal(verified_, "lonely"), "the certificate is vouched for by nobody but itself");
  EXPECT_EQ(Refusal({"a", "", "192.0.2.2", true}, "mail"), "the certificate is not for 192.0.2.2");
  Open({"a", "", "192.0.2.1", true});
  client_context_.SetTrust(nullptr);
  EXPECT_THAT(Refusal(verified_, "mail"), testing::HasSubstr("nobody that we trust"));
  // Who does not verify takes them all.
  for (const char* certificate : {"mail", "other", "old", "lonely", "rsa"}) {
    Open(anybody_, certificate);
  }
}

TEST_F(TlsStreamTest, ASessionIsResumed) {
  const auto server = certificates_->Server("mail");
  for (const bool verify : {false, true}) {
    const TlsPeer& peer = verify ? verified_ : anybody_;
    for (int visit = 0; visit < 3; ++visit) {
      Start(server, peer);
      Shake();
      ASSERT_TRUE(client_.open && server_.open);
      EXPECT_EQ(client_.stream->facts().resumed, visit > 0) << verify << " " << visit;
      EXPECT_EQ(server_.stream->facts().resumed, visit > 0);
      server_.Say("220 ready\r\n");
      EXPECT_EQ(client_.Hear(server_.wire), "220 ready\r\n");  // the ticket comes before
    }
  }
  EXPECT_EQ(client_context_.servers(), 2u);  // what was not verified is not mixed with what was
}

TEST_F(TlsStreamTest, ANewCertificateDoesNotDisturbAnOpenStream) {
  auto server = certificates_->Server("mail");
  Start(server, anybody_);
  Shake();
  server = certificates_->Server("other");  // the old one lives as long as its streams
  client_.Say("NOOP\r\n");
  EXPECT_EQ(server_.Hear(client_.wire), "NOOP\r\n");
}

TEST_F(TlsStreamTest, SessionsAreBounded) {
  const auto server = certificates_->Server("mail");
  for (int i = 0; i < 20; ++i) {
    Start(server, {"192.0.2." + std::to_string(i) + ":25", "mail.example.net", "", false});
    Shake();
    server_.Say("220 ready\r\n");
    EXPECT_EQ(client_.Hear(server_.wire), "220 ready\r\n");
    EXPECT_LE(client_context_.servers(), 4u);
  }
}

TEST_F(TlsStreamTest, WhatIsWrongWithACertificateIsSaid) {
  const auto why = [](const std::string& chain, const std::string& key) {
    const TlsIdentity identity{chain, key};
    size_t bad = 7;
    const auto made = TlsServerContext::Create({&identity, 1}, &bad);
    EXPECT_FALSE(made.ok());
    EXPECT_EQ(bad, 0u);
    return made.ok() ? std::string() : std::string(made.status().message());
  };
  const std::string chain = certificates_->Chain("mail");
  const std::string key = certificates_->Key("mail");
  EXPECT_EQ(why("", key), "there is no certificate in it");
  EXPECT_EQ(why(chain, ""), "there is no private key in it");
  EXPECT_EQ(why(chain, certificates_->Key("other")), "the key does not belong to the certificate");
  EXPECT_EQ(why(chain, certificates_->Key("rsa")), "the key does not belong to the certificate");
  std::string broken = chain;
  broken[chain.size() / 2] = broken[chain.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(why(broken.substr(0, chain.size() / 2), key).empty());
  EXPECT_THAT(why(chain + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key),
              testing::HasSubstr("of the chain cannot be read"));
  EXPECT_FALSE(TlsTrust::Create("").ok());
}

}  // namespace
}  // namespace outbox::io
