// BodyCanon: the body of a message in the form that its hash is made of (RFC 6376 3.4.3, 3.4.4).
//
// The body comes as it is stored and sent in DATA, and in any pieces: with dots before dots that
// begin a line, ended by a line with one dot. DotReader takes that off; BodyCanon does the rest.
// Neither keeps more than a few octets, whatever the size of the message, and any octets are some
// body. Without a call of Finish that ended line may be missing; what came is the body then.
#ifndef OUTBOX_DKIM_BODY_CANON_H_
#define OUTBOX_DKIM_BODY_CANON_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "dkim/signer_key.h"

namespace outbox::dkim {

// Reads wire form, hands over text.
class DotReader {
 public:
  // Calls `emit` with pieces of `wire`, or of a constant, in order; ignores what follows the end.
  template <typename Emit>
  void Read(std::string_view wire, Emit&& emit);
  bool ended() const { return state_ == State::kEnded; }

 private:
  // kDot, kDotCr: behind a dot that began a line, and that one and a CR.
  enum class State : uint8_t { kLineStart, kText, kDot, kDotCr, kEnded };

  State state_ = State::kLineStart;
  bool after_cr_ = false;  // kText: the last octet was one
};

class BodyCanon {
 public:
  explicit BodyCanon(bool relaxed) : relaxed_(relaxed) {}
  virtual ~BodyCanon() = default;

  void Update(std::string_view text);
  // The last call: what is still to come of the canonical form.
  void Finish();

 protected:
  // The next octets of the canonical form.
  virtual void Write(std::string_view bytes) = 0;

 private:
  void Simple(std::string_view text);
  void Relaxed(std::string_view text);
  // A CR that no LF follows is text like any other.
  void BareCr();
  // Line ends and a blank that turned out to have something behind them.
  void PutWaiting();
  void Put(std::string_view bytes);
  void Flush();

  const bool relaxed_;
  bool cr_ = false;     // the last octet was a CR
  bool blank_ = false;  // relaxed: blanks came before that
  bool any_ = false;    // something was put
  uint64_t line_ends_ = 0;  // that wait for something to follow them
  size_t filled_ = 0;
  std::array<char, 1024> buffer_;
};

// The hash of a body, bh=.
class BodyHash : public BodyCanon {
 public:
  using BodyCanon::BodyCanon;

  Digest Result() {
    Finish();
    return sha_.Finish();
  }

 private:
  void Write(std::string_view bytes) override { sha_.Update(bytes); }

  Sha256 sha_;
};

template <typename Emit>
void DotReader::Read(std::string_view wire, Emit&& emit) {
  while (!wire.empty() && state_ != State::kEnded) {
    switch (state_) {
      case State::kLineStart:
        if (wire[0] == '.') {
          state_ = State::kDot;
          wire.remove_prefix(1);
        } else {
          state_ = State::kText;
          after_cr_ = false;
        }
        break;
      case State::kDot:
        state_ = State::kText;
        after_cr_ = false;
        if (wire[0] == '\r') {
          state_ = State::kDotCr;
          wire.remove_prefix(1);
        }
        break;
      case State::kDotCr:
        if (wire[0] == '\n') {
          state_ = State::kEnded;
        } else {
          emit(std::string_view("\r"));
          state_ = State::kText;
          after_cr_ = true;
        }
        break;
      default: {
        const void* const found = std::memchr(wire.data(), '\n', wire.size());
        if (found == nullptr) {
          after_cr_ = wire.back() == '\r';
          emit(wire);
          return;
        }
        const auto at = static_cast<size_t>(static_cast<const char*>(found) - wire.data());
        const bool ends_line = at == 0 ? after_cr_ : wire[at - 1] == '\r';
        emit(wire.substr(0, at + 1));
        wire.remove_prefix(at + 1);
        state_ = ends_line ? State::kLineStart : State::kText;
        after_cr_ = false;
        break;
      }
    }
  }
}

}  // namespace outbox::dkim

#endif  // OUTBOX_DKIM_BODY_CANON_H_
