// ControlServer: the daemon's main thread. It answers the control socket, takes the signals, and
// runs what other threads post to it. The mail is none of its business: shards run on threads of
// their own.
//
// The protocol (docs/control-protocol.md): lines of JSON over a Unix stream socket, one request
// object a line. An answer is one line, or a stream of lines whose last one has "end". A client's
// next request is read when the last one is answered.
//
// All calls come from the thread that calls Run, except Post. Everything is bounded: clients,
// request length, and what waits to be written to a client (ReplyStream::full).
#ifndef OUTBOX_TOOLS_CONTROL_SERVER_H_
#define OUTBOX_TOOLS_CONTROL_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace outbox::tools {

// Of each socket; one more client is told so and closed.
inline constexpr size_t kControlClientsMax = 32;
// A longer request is answered by an error, and the client is closed.
inline constexpr size_t kControlRequestBytes = size_t{64} << 10;
// Above this a stream is full; who goes on sending regardless is cut off at four times as much. A
// single answer may be longer: it is never cut.
inline constexpr size_t kControlReplyBytes = size_t{256} << 10;

// The answer to one request. Held by the server while the client lives and by the handler for as
// long as it answers; may be kept across posts. When the client has gone, everything is a no-op.
class ReplyStream {
 public:
  virtual ~ReplyStream() = default;
  // One line of an answer that goes on. False when the client has gone: no need to go on.
  virtual bool Send(const nlohmann::json& line) = 0;
  // The same for lines that are JSON already, each with its LF.
  virtual bool SendText(std::string_view lines) = 0;
  // The last line. REQUIRES: called once.
  virtual void Finish(const nlohmann::json& line) = 0;
  // Finish with {"error": message}.
  void Fail(const std::string& message) { Finish({{"error", message}}); }
  // So much waits to be written that the next Send should wait for WhenReady.
  virtual bool full() const = 0;
  // The client has gone: everything is a no-op from now on.
  virtual bool gone() const { return false; }
  // The client came in by the read-only socket.
  virtual bool read_only() const { return false; }
  // Who that is, as the system says: "uid 1000"; empty: not known.
  virtual std::string peer() const { return ""; }
  // Calls `resume` once when the stream is not full (any more): from the loop; or the client has
  // gone: from the loop, or from here when that is known already. Not after Finish. Several may
  // wait.
  virtual void WhenReady(std::function<void()> resume) = 0;
  // Calls `hear` once, as above, when the client has gone before Finish, whether or not the stream
  // is full.
  virtual void WhenGone(std::function<void()> hear) = 0;
};

class ControlHandler {
 public:
  virtual ~ControlHandler() = default;
  // `request` is a JSON object with a string "command". Must end in reply->Finish, now or later.
  virtual void Handle(const nlohmann::json& request, std::shared_ptr<ReplyStream> reply) = 0;
  // SIGTERM, SIGINT or SIGHUP has arrived.
  virtual void OnSignal(int signal) = 0;
};

class ControlServer {
 public:
  // Blocks the three signals for the calling thread and the threads that it starts later. To be
  // called first thing in main; a server then reads them from a descriptor.
  static void BlockSignals();

  // Listens at `path`, mode 0660, and at `stats_path`, mode 0666, whose clients are read_only(). An
  // empty path is no socket; signals and posts there are always. A socket file that nobody listens
  // at is removed. Errors: a living server is there, something that is not a socket is there, the
  // system refuses; the message names the path. REQUIRES: BlockSignals was called. `handler`
  // outlives the server.
  static core::Result<std::unique_ptr<ControlServer>> Create(const std::string& path,
                                                             ControlHandler* handler,
                                                             const std::string& stats_path = "");
  virtual ~ControlServer() = default;

  // Serves until Quit, then writes what is still to be written, for a second at most.
  virtual void Run() = 0;
  virtual void Quit() = 0;
  // Runs `work` on Run's thread soon. From any thread. Works posted before Run run first thing.
  virtual void Post(std::function<void()> work) = 0;
  // Runs `work` once, `delay_ns` of steady time from now.
  virtual void After(int64_t delay_ns, std::function<void()> work) = 0;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_CONTROL_SERVER_H_
