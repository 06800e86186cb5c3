// EventLog: what happened, as one JSON object a line, in a buffer of the shard's own.
//
//     {"time":"2026-11-22T16:43:43.017Z","event":"delivered","id":"3-17a","attempts":1}
//
// Nothing here waits: events are formatted into a bounded buffer, and the owner of the log (tools/)
// is told when there is something to write, takes it and writes it when and where it can. When the
// buffer is full an event is dropped and counted, and the next one that fits is preceded by a
// "log_dropped" event with the number. No event allocates memory.
//
// Not thread-safe; a log belongs to one shard.
#ifndef OUTBOX_CORE_EVENT_LOG_H_
#define OUTBOX_CORE_EVENT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>

#include "core/config.h"
#include "core/limits.h"

namespace outbox::core {

class EventLog {
 public:
  // Called when the buffer goes from empty to not empty. Must not call the log.
  using ReadyHook = void (*)(void* context);

  // `minimum`: events of a lower level are not written. `capacity`: bytes of each of the two
  // buffers; REQUIRES: at least kEventLogLineBytes.
  explicit EventLog(LogLevel minimum, size_t capacity = kEventLogBufferBytes);
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  void SetReadyHook(ReadyHook hook, void* context);

  // One event under construction; it is written when the object goes.
  //     log->Write(LogLevel::kInfo, now, "delivered", id).Field("recipient", address);
  class Event {
   public:
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event();

    // Keys are ours: plain ASCII words. Values may be any bytes: what is not UTF-8 is replaced by
    // U+FFFD, octet by octet. A value that does not fit the rest of the line is cut and a key that
    // does not fit is left out; the line stays valid JSON and says "cut":true.
    Event& Field(std::string_view key, std::string_view value);
    Event& Field(std::string_view key, const char* value) {
      return Field(key, std::string_view(value));
    }
    template <typename Number>
      requires std::is_integral_v<Number>
    Event& Field(std::string_view key, Number value) {
      if constexpr (std::is_same_v<Number, bool>) {
        return Literal(key, value ? "true" : "false");
      } else if constexpr (std::is_signed_v<Number>) {
        return Signed(key, value);
      } else {
        return Unsigned(key, value);
      }
    }

    // A list of strings, item by item. An item that does not fit the rest of the line is left out.
    // REQUIRES: between the two, nothing but Item.
    Event& BeginList(std::string_view key);
    Event& Item(std::string_view value);
    Event& EndList();

   private:
    friend class EventLog;
    Event(EventLog* log, std::string_view time, std::string_view name, std::string_view id);
    // One that is not written.
    explicit Event(std::nullptr_t) : log_(nullptr) {}

    Event& Literal(std::string_view key, std::string_view literal);
    Event& Signed(std::string_view key, int64_t value);
    Event& Unsigned(std::string_view key, uint64_t value);
    bool BeginField(std::string_view key, size_t room_for_value);
    void Put(std::string_view text);
    void PutChar(char c);
    void PutEscaped(std::string_view text);

    EventLog* log_;  // null: not written (level, or no room)
    size_t used_ = 0;
    bool cut_ = false;
    bool in_list_ = false;
    bool has_item_ = false;
  };

  // Starts an event. `id` is the message's, or empty. REQUIRES: no other Event of this log exists.
  Event Write(LogLevel level, int64_t wall_ns, std::string_view name, std::string_view id = {});

  bool Wants(LogLevel level) const { return level >= minimum_; }
  void SetMinimum(LogLevel minimum) { minimum_ = minimum; }

  // The lines that wait, whole lines only; empty when there are none. They stay in place until
  // Release; events go to the other buffer meanwhile. REQUIRES: Release was called since the last
  // Take that returned something.
  std::string_view Take();
  void Release();
  // Of the lines that Take would return.
  size_t waiting_bytes() const { return filled_; }

  uint64_t dropped_total() const { return dropped_total_; }

 private:
  // REQUIRES: room for a line.
  Event Begin(int64_t wall_ns, std::string_view name, std::string_view id);

  LogLevel minimum_;
  const size_t capacity_;
  std::unique_ptr<char[]> filling_;  // events go here
  std::unique_ptr<char[]> taken_;    // the owner writes from here
  size_t filled_ = 0;
  bool is_taken_ = false;
  bool writing_ = false;  // an Event exists
  uint64_t dropped_ = 0;  // since the last line that could be written
  uint64_t dropped_total_ = 0;
  ReadyHook hook_ = nullptr;
  void* hook_context_ = nullptr;
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_EVENT_LOG_H_
