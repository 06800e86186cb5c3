// LogTail: who follows the event log over the control socket (`outbox log --follow`).
//
// The log file hands over every piece that it writes, on whichever thread does that. While nobody
// follows, that is one atomic read. The pieces wait, bounded, for the main thread, which gives each
// follower the lines that it wants. A follower that does not keep up loses lines and is told how
// many; the mail and the other followers do not notice.
#ifndef OUTBOX_TOOLS_LOG_TAIL_H_
#define OUTBOX_TOOLS_LOG_TAIL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tools/control_server.h"

namespace outbox::tools {

// What waits for the main thread at most; pieces beyond are lost to all followers.
inline constexpr size_t kLogTailBytes = size_t{4} << 20;
// Messages that a follower of a domain remembers; of older ones it misses the events without names.
inline constexpr size_t kLogTailMessages = 10'000;

// Which lines are wanted. An empty member is any.
struct LogFilter {
  std::string id;      // of the message, in capital letters
  std::string domain;  // of the recipient, or the one that the mail is routed for; lower case

  // Of a domain, events that name a recipient or the domain.
  bool Wants(const nlohmann::json& event) const;
  // The event names nobody: whether it is about the domain depends on its message.
  static bool NamesNobody(const nlohmann::json& event);
};

class LogTail {
 public:
  // Any thread: lines that have just been written.
  void Publish(std::string_view lines);

  // --- The main thread's ---
  // Before the first follower.
  void SetServer(ControlServer* server) { server_ = server; }
  void Follow(LogFilter filter, std::shared_ptr<ReplyStream> reply);
  // Ends all: the daemon stops.
  void End();

 private:
  struct Follower {
    Follower(LogFilter what, std::shared_ptr<ReplyStream> to)
        : filter(std::move(what)), reply(std::move(to)) {}

    LogFilter filter;
    std::shared_ptr<ReplyStream> reply;
    uint64_t lost = 0;  // lines, since it was told last
    // With a domain: messages that have recipients there, for events that name nobody.
    std::unordered_set<std::string> messages;
    std::deque<std::string> oldest;  // the same, in order
  };

  void Hand();
  static bool IsWanted(Follower* follower, const nlohmann::json& event);
  void Give(Follower* follower, const nlohmann::json& event);

  ControlServer* server_ = nullptr;
  std::vector<std::unique_ptr<Follower>> followers_;
  std::atomic<bool> followed_ = false;

  std::mutex mutex_;
  std::string waiting_;   // whole lines
  uint64_t dropped_ = 0;  // lines that did not fit
  bool posted_ = false;   // Hand will run
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_LOG_TAIL_H_
