// Storyteller: home's events about the recipients of a ticket (deferred, bounced, expired and so
// on), with their addresses.
//
// Home does not keep addresses in memory. Who had a host's answer is named by the owner of the
// destination, with the result of the attempt; a notice has read the message anyway; fresh mail is
// in the hot tail. Only for the others the message is read, off the loop, and the line comes a
// moment later, with the time of the event. Reads are bounded: when too many wait for theirs, or
// the message cannot be read, the line says only how many recipients there are.
//
// Shard-local.
#ifndef OUTBOX_QUEUE_STORYTELLER_H_
#define OUTBOX_QUEUE_STORYTELLER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/event_log.h"
#include "io/io.h"
#include "queue/home_ticket.h"
#include "queue/message_meta.h"

namespace outbox::queue {

// Where the addresses of a ticket's recipients may be found without reading the message.
struct NameSource {
  const TicketResult* result = nullptr;  // of the attempt that has just been made
  const MetaView* meta = nullptr;        // of the message
  bool readable = true;                  // else the message is gone, or not worth reading
};

// What there is to be told besides the ticket.
struct Story {
  core::LogLevel level = core::LogLevel::kInfo;
  const char* event = "";
  int64_t next_attempt_wall_ns = 0;  // 0: none
  std::string_view from{};           // the destination before
  std::string_view route{};          // the name of the route that it has now
  int64_t until_wall_ns = 0;  // when a purge is final; 0: none
  std::string_view by{};      // the command that it was, or who has given the order
  std::string_view reason{};  // and why
  uint64_t into = 0;          // the message that took the place of these recipients
};

class Storyteller {
 public:
  Storyteller(io::Io* io, core::EventLog* events);
  Storyteller(const Storyteller&) = delete;
  Storyteller& operator=(const Storyteller&) = delete;
  // REQUIRES: idle().
  ~Storyteller();

  // The ticket is at home, and all of its recipients are meant.
  void Tell(const HomeTicket& ticket, const Story& story, const NameSource& names);
  // No line waits for its message.
  bool idle() const { return reading_ == 0 && waiting_.empty(); }

 private:
  // All that a line says but the addresses.
  struct Facts {
    core::LogLevel level = core::LogLevel::kInfo;
    const char* event = "";
    int64_t wall_ns = 0;
    uint64_t id = 0;
    uint64_t mask = 0;
    uint16_t first = 0;
    uint16_t group = 0;
    uint16_t attempts = 0;
    uint16_t code = 0;
    bool replied = false;
    int64_t delay_ms = 0;  // since it was accepted
    int64_t next_attempt_wall_ns = 0;
    std::string_view destination;
    std::string_view mailhost;
    std::string_view status;
    std::string_view reply;
    std::string_view from;
    std::string_view route;
    int64_t until_wall_ns = 0;
    std::string_view by;
    std::string_view reason;
    uint64_t into = 0;
  };
  struct Reading;

  template <typename ForEach>
  void Write(const Facts& facts, ForEach&& for_each_name);
  void WriteOf(const Facts& facts, const MetaView& meta);
  void WriteNameless(const Facts& facts);
  bool TellNow(const HomeTicket& ticket, const Facts& facts, const NameSource& names);
  void Read(const HomeTicket& ticket, const Facts& facts);
  void StartReading(Reading* reading);
  void OnRead(Reading* reading, const core::Status& status, Window window);

  io::Io* const io_;
  core::EventLog* const events_;
  std::vector<std::unique_ptr<Reading>> readings_;
  std::vector<Reading*> free_;
  std::deque<Reading*> waiting_;
  uint32_t reading_ = 0;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_STORYTELLER_H_
