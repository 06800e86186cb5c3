// The paths of smtp/: a session on either side with one 4 KiB message, and the scan of its body.
#include <string>

#include "bench/counted_path.h"
#include "bench/dialogue.h"
#include "bench/sample_mail.h"
#include "core/check.h"
#include "smtp/body_scanner.h"

namespace outbox::bench {
namespace {

const char kMail[] = "MAIL FROM:<sender@example.org> SIZE=4096\r\n";
const char kRcpt[] = "RCPT TO:<recipient@example.com>\r\n";
const char kData[] = "DATA\r\n";
constexpr size_t kMessage = 4096;

// From the banner to the end, one command at a time.
class SessionIn : public CountedPath {
 public:
  void Run(uint64_t items) override {
    for (; items > 0; --items) {
      dialogue_.Begin();
      dialogue_.Hear(kMail);
      dialogue_.Hear(kRcpt);
      dialogue_.Hear(kData);
      CHECK(dialogue_.Hear(wire_) == 1);
      dialogue_.Hear("QUIT\r\n");
    }
  }

 private:
  const std::string wire_ = SampleWire(kMessage);
  ServerDialogue dialogue_;
};

// A further message of a session that pipelines.
class MessageIn : public CountedPath {
 public:
  void Run(uint64_t items) override {
    for (; items > 0; --items) {
      dialogue_.Hear(envelope_);
      CHECK(dialogue_.Hear(wire_) == 1);
    }
  }

 private:
  const std::string envelope_ = std::string(kMail) + kRcpt + kData;
  const std::string wire_ = SampleWire(kMessage);
  ServerDialogue dialogue_;
};

class SessionOut : public CountedPath {
 public:
  void Run(uint64_t items) override {
    for (; items > 0; --items) {
      dialogue_.Begin();
      dialogue_.Message(/*next=*/false);
      dialogue_.Quit();
    }
  }

 private:
  ClientDialogue dialogue_;
};

// With the next envelope behind each body.
class MessageOut : public CountedPath {
 public:
  void Run(uint64_t items) override {
    for (; items > 0; --items) dialogue_.Message(/*next=*/true);
  }

 private:
  ClientDialogue dialogue_;
};

template <size_t kOctets>
class BodyScan : public CountedPath {
 public:
  void Run(uint64_t items) override {
    for (; items > 0; --items) {
      smtp::BodyScanner scanner;
      scanner.Consume(wire_);
      CHECK(scanner.complete());
    }
  }

 private:
  const std::string wire_ = SampleWire(kOctets);
};

template <typename Path>
std::unique_ptr<CountedPath> Make() {
  return std::make_unique<Path>();
}

constexpr NamedPath kPaths[] = {
    {"session_in", 200, &Make<SessionIn>},
    {"message_in", 200, &Make<MessageIn>},
    {"session_out", 200, &Make<SessionOut>},
    {"message_out", 200, &Make<MessageOut>},
    {"body_scan_4k", 100, &Make<BodyScan<4096>>},
    {"body_scan_64k", 20, &Make<BodyScan<65536>>},
};

}  // namespace

std::span<const NamedPath> SmtpPaths() { return kPaths; }

}  // namespace outbox::bench
