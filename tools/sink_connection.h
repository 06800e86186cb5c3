// SinkConnection: one client of smtp_sink, and the dialogue with it.
//
// A lean server side of SMTP of its own: the sink stands for "the rest of the world" in tests and
// measurements of Outbox, so it shares no protocol code with it and costs as little CPU as it can.
//
// Lifecycle: made by the Sink for an accepted socket. It ends by Shut (no new work), waits for its
// operations in flight, then closes the socket and reports itself to the Sink, which deletes it
// after the turn. One thread.
#ifndef OUTBOX_TOOLS_SINK_CONNECTION_H_
#define OUTBOX_TOOLS_SINK_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/random.h"
#include "io/io.h"
#include "tools/load_hash.h"
#include "tools/sink_ledger.h"

namespace outbox::tools {

class SinkConnection;

// What the connections of one sink share. Outlives them.
struct SinkShared {
  virtual ~SinkShared() = default;
  // Calls connection->EndDelay() after the configured delay.
  virtual void Delay(SinkConnection* connection) = 0;
  // The connection is closed; it may be deleted after the turn.
  virtual void Closed(SinkConnection* connection) = 0;

  io::Io* io = nullptr;
  SinkLedger* ledger = nullptr;
  core::Random random{1};
  uint32_t fail_percent = 0;    // of recipients refused by 451
  uint32_t reject_percent = 0;  // of recipients refused by 550
  bool chunking = false;        // is offered (RFC 3030)
  bool delay = false;           // the reply to the final dot waits for EndDelay
};

class SinkConnection {
 public:
  SinkConnection(SinkShared* shared, io::Socket socket);

  // Greets and begins to read.
  void Start();
  void EndDelay();
  // Ends the connection without a further word.
  void Shut();

 private:
  enum class State : uint8_t { kCommand, kContent, kChunk };

  void OnReceived(const io::OpResult& result);
  void OnLargeReceived(const io::OpResult& result);
  void Receive();
  void OnSent(const io::OpResult& result);
  // Works through received bytes. Stops early when a delay begins; keeps the rest then.
  void Input(std::string_view bytes);
  // Takes the next line off `bytes` and acts on it, or keeps an unfinished one.
  void InputCommand(std::string_view* bytes);
  void InputContent(std::string_view* bytes);
  void Command(std::string_view line);
  void Recipient(std::string_view line);
  void BeginContent();
  void ResetContent();
  void BeginChunk(std::string_view line);
  // Digests a chunk as wire form, which is what the hash is of.
  void InputChunk(std::string_view* bytes);
  void EndChunk();
  // `part` belongs to the content; it is split over header section and hash.
  void Digest(std::string_view part);
  void EndContent();
  void Say(std::string_view text) { out_.append(text); }
  // Sends what was said, reads on, or ends, whatever is due.
  void Proceed();

  SinkShared* const shared_;
  const io::Socket socket_;
  io::Op receive_;
  io::Op receive_large_;
  io::Op send_;
  iovec send_part_ = {};
  std::string out_;                // said, not yet sent
  std::string sending_;            // being sent
  std::string line_;               // an unfinished command
  std::string rest_;               // received behind a delayed reply
  std::unique_ptr<char[]> large_;  // of kLargeBytes, once there was a large message
  std::string head_;               // the header section of the message, up to kLoadHeadBytes
  ContentHash hash_;
  uint64_t content_bytes_ = 0;
  SinkRecipients recipients_;
  State state_ = State::kCommand;
  uint8_t end_matched_ = 0;  // how many octets of CRLF.CRLF the content ends in
  bool head_done_ = false;
  uint64_t chunk_left_ = 0;
  bool last_chunk_ = false;
  bool in_chunks_ = false;         // a message has begun by BDAT
  char before_[2] = {'\r', '\n'};  // the last two octets of its content
  bool delayed_ = false;
  bool quit_ = false;  // end when everything is said
  bool shut_ = false;  // end now
  bool closed_ = false;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SINK_CONNECTION_H_
