// SourceConnection: one connection of smtp_source, and the dialogue on it.
//
// A lean client side of SMTP of its own, like SinkConnection: no protocol code shared with what it
// tests, and little CPU. Command by command, or pipelined (RFC 2920): then the envelope of the next
// message follows the content of this one in the same send.
//
// Anything refused ends the connection; a new one is made after a pause. Simple, and right also
// where replies to pipelined commands are still on their way.
//
// Lifecycle: made once for the run; it dials and closes any number of times. Ends by Stop; ended()
// when nothing is in flight. One thread.
#ifndef OUTBOX_TOOLS_SOURCE_CONNECTION_H_
#define OUTBOX_TOOLS_SOURCE_CONNECTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ip_address.h"
#include "io/io.h"
#include "tools/source_work.h"

namespace outbox::tools {

class SourceConnection {
 public:
  // `local` may be null. All outlive this object.
  SourceConnection(io::Io* io, SourceWork* work, const core::SocketAddress* peer,
                   const core::SocketAddress* local);

  // Goes on where it waits for time to pass: dials when there is work and its pause is over; takes
  // the next message when the rate allows it.
  void Poke();
  // When Poke may have something to do; core::kNever if it does not wait.
  int64_t wake_ns() const;
  void Stop();
  bool ended() const { return state_ == State::kIdle; }

 private:
  enum class State : uint8_t {
    kIdle,  // no socket
    kConnecting,
    kGreeting,
    kEhlo,
    kReady,  // between messages, waiting for the rate
    kMail,
    kRecipient,
    kData,
    kContent,
    kQuit,
    kClosing,  // waits for operations in flight
  };
  // What one send carries. Its memory stays until the send has completed.
  struct Outgoing {
    std::string before;
    const std::string* body = nullptr;
    std::string after;
    iovec parts[3];
  };

  bool talking() const { return state_ >= State::kGreeting && state_ <= State::kQuit; }
  void OnConnected(const io::OpResult& result);
  void OnReceived(const io::OpResult& result);
  void OnSent(const io::OpResult& result);
  void Input(std::string_view bytes);
  // One whole reply: its last line.
  void Reply(std::string_view line);
  void Refused(int code, std::string_view line);
  void Greeted();
  // Begins the next message, or waits, or quits.
  void NextMessage();
  void AppendEnvelope(uint64_t id, std::string* out);
  void SendCommand(std::string_view text);
  void SendRecipient();
  void SendContent();
  // What is sent of the message: head, body and tail, with BDAT before them if they go by it.
  void AppendContent(uint64_t id, Outgoing* out);
  // Envelope and content at once.
  void SendMessage();
  void ContentAccepted();
  // The buffers for what is to be sent next; null if the peer forces more than one ahead.
  Outgoing* Stage();
  void Flush();
  // Ends the connection because of a failure; its messages go back to the work.
  void Fail(std::string_view why);
  void Close();
  void FinishClose();

  io::Io* const io_;
  SourceWork* const work_;
  const SourceOptions& options_;
  const core::SocketAddress* const peer_;
  const core::SocketAddress* const local_;
  io::Op connect_;
  io::Op receive_;
  io::Op send_;
  io::Socket socket_ = io::kNoHandle;
  State state_ = State::kIdle;
  bool stopped_ = false;
  bool offers_size_ = false;
  bool staged_ = false;               // outgoing_[1 - sending_] waits for the send in flight
  uint8_t sending_ = 0;               // index of the Outgoing in flight, or last sent
  uint32_t recipient_ = 0;            // number of the recipient whose reply is awaited
  uint64_t sent_here_ = 0;            // messages begun on this connection
  int64_t retry_ns_ = 0;              // not to dial before
  int64_t content_ns_ = 0;            // when the content was sent
  std::optional<uint64_t> content_;   // the message whose content is sent
  std::optional<uint64_t> envelope_;  // the message whose envelope is being sent
  std::string line_;                  // an unfinished reply line
  Outgoing outgoing_[2];
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SOURCE_CONNECTION_H_
