// TlsParty: one end of a simulated connection, in the clear until TLS is on, then with a
// HostileTlsPeer's keys; a story says what it does with them.
#ifndef OUTBOX_TESTS_SCENARIO_TLS_PARTY_H_
#define OUTBOX_TESTS_SCENARIO_TLS_PARTY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tests/io/hostile_tls_peer.h"
#include "tests/simulation/line_peer.h"

namespace outbox::queue {

inline constexpr uint16_t kTlsVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

class TlsParty {
 public:
  explicit TlsParty(simulation::LinePeer* line) : line_(line) {}

  // From now on what comes is a handshake, then sealed.
  void StartTls(std::unique_ptr<io::HostileTlsPeer> tls) {
    tls_ = std::move(tls);
    TakeInput();
  }
  bool secured() const { return tls_ != nullptr && tls_->open(); }
  bool shaking() const { return tls_ != nullptr && !tls_->open(); }
  io::HostileTlsPeer* tls() { return tls_.get(); }
  simulation::LinePeer* line() { return line_; }

  // Something has come.
  void TakeInput() {
    if (tls_ == nullptr) {
      text_ += std::exchange(line_->input(), {});
    } else if (!tls_->open()) {
      // Behind the last word of the handshake there may be text.
      if (tls_->Shake(std::exchange(line_->input(), {}))) text_ = tls_->Hear({});
    } else {
      text_ += tls_->Hear(std::exchange(line_->input(), {}));
    }
    if (tls_ != nullptr) line_->Write(tls_->Wire());
  }
  bool TakeLine(std::string* line) {
    const size_t end = text_.find("\r\n");
    if (end == std::string::npos) return false;
    *line = text_.substr(0, end);
    text_.erase(0, end + 2);
    return true;
  }
  // All that has come and is no line that was taken.
  const std::string& text() const { return text_; }

  void Say(std::string_view text) {
    line_->Write(secured() ? tls_->SealText(text) : std::string(text));
  }
  // A record, sealed.
  void SayRecord(uint8_t type, std::string_view text) { line_->Write(tls_->Seal(type, text)); }

 private:
  simulation::LinePeer* const line_;
  std::unique_ptr<io::HostileTlsPeer> tls_;
  std::string text_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_TESTS_SCENARIO_TLS_PARTY_H_
