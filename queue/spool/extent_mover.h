// ExtentMover: gives the space of big bodies back. When extent segments take more than half again
// as much as what is live in them, or the log is at its reserve, the bodies that still lie in the
// emptiest one are written again, one at a time, through a BodyStream as if they had just arrived;
// then the message's record is written again with the places of the copy. Until that is durable the
// old extents stay.
//
// Two things follow from there being an older record, which names the older extents. It must not
// come back when the message is done: its segment counts as suspect, so that every done entry
// guards it, and the Reclaimer frees it next. And whoever is sending the body knows the older
// extents: the fetcher looks up where a piece lies now.
//
// Works only while the Reclaimer rests, so that the moves that the writer has are its own.
#ifndef OUTBOX_QUEUE_SPOOL_EXTENT_MOVER_H_
#define OUTBOX_QUEUE_SPOOL_EXTENT_MOVER_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/time.h"
#include "queue/spool/body_stream.h"
#include "queue/spool/segments.h"
#include "queue/store.h"

namespace outbox::queue {

class Log;

class ExtentMover {
 public:
  explicit ExtentMover(Log* log);
  ~ExtentMover() { CHECK(!fetch_.in_flight); }

  void Tick();
  bool idle() const { return victim_ == nullptr; }
  // Gives up what is under way; a fetch ends by itself.
  void Stop();
  void Abandon();
  // Log must not retire it meanwhile.
  bool moving(const Segment* segment) const { return segment == victim_; }
  // When Tick has something to do; kNever while it waits for a completion, or for nothing.
  int64_t NextDeadline() const;

 private:
  enum class Phase : uint8_t {
    kScan,   // looking for messages with a body in the victim
    kNext,   // between two messages
    kFetch,  // a record or an extent is being read
    kRoom,   // the stream has no buffer
    kSync,   // the stream is being finished
    kMove,   // the writer has the record
  };

  Segment* Pick() const;
  // There is a segment to move to, and more than that.
  bool HasRoom() const;
  // Few enough segments have older records.
  bool MayLeaveCopies() const;
  void Scan();
  void StartNext();
  void Fetch(uint32_t part);
  void OnFetched(const core::Status& status, Window window);
  void OnRecord(std::span<const char> record);
  // Writes what is left of the piece that was fetched, then goes on to the next one.
  void Feed();
  void OnRoom();
  void OnFinished(const core::Status& status);
  void FinishMove();
  // This message stays where it is, for now.
  void GiveUp();
  void EndPass();
  void Forget();

  Log* log_;
  Segment* victim_ = nullptr;
  uint64_t generation_ = 0;
  Phase phase_ = Phase::kScan;
  bool stopped_ = false;
  uint32_t cursor_ = 0;
  uint32_t passes_ = 0;
  int64_t not_before_ns_ = 0;  // of the next pass, the next message
  std::deque<uint64_t> ids_;   // to be moved

  // The message that is being moved.
  uint64_t id_ = 0;
  RecordPlace from_;
  std::string record_;          // its entry's data
  std::vector<Extent> before_;  // of its body
  std::vector<Extent> after_;   // empty when they belong to the message
  FetchOp fetch_;
  Window piece_;
  std::string_view left_;  // of piece_
  BodyStream stream_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_EXTENT_MOVER_H_
