// SegmentPool: makes segments ahead of need, starts, seals and retires them.
//
// All of it happens beside the commits: the writer finds a started segment ready when the active
// one is full, and files are created (helper thread) or, when they cannot be written any more,
// removed here only. How much can still be had, from free segments, the bound and the disk, decides
// whether new mail is taken.
#ifndef OUTBOX_QUEUE_SPOOL_SEGMENT_POOL_H_
#define OUTBOX_QUEUE_SPOOL_SEGMENT_POOL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "queue/spool/aligned_buffer.h"
#include "queue/spool/segment_scan.h"
#include "queue/spool/segments.h"

namespace outbox::queue {

class Log;

class SegmentPool {
 public:
  explicit SegmentPool(Log* log);
  ~SegmentPool();

  // Generations from here on are unused. Called once by recovery; from then on the pool works.
  void Start(uint64_t next_generation);
  // Starts what is needed: segments to be ready, made, retired; asks for space.
  void Tick(int64_t now_ns);
  int64_t NextDeadline() const;
  // No more new work.
  void Stop() { stopped_ = true; }
  void Abandon() { jobs_in_flight_ = 0; }
  bool idle() const { return jobs_in_flight_ == 0; }

  // The ready segment for the log, now active; null: none yet. Mail may not take the last ones.
  Segment* TakeLog(bool for_mail);
  // Likewise for extents. From the first WantExtents on, one is kept ready ahead of need, as long
  // as more than the reserve is left.
  Segment* TakeExtents();
  void WantExtents() { want_extents_ = true; }
  // Bodies are being moved together: they may take from the reserve, since each segment that is
  // emptied gives more back; but not the last one.
  void set_reclaiming(bool reclaiming) { reclaiming_ = reclaiming; }
  bool may_take_extents() const {
    return above_reserve() || (reclaiming_ && (ready_extents_ != nullptr || available() > 1));
  }
  // No segment is ready and nothing is under way that could bring one.
  bool hopeless() const;
  // More than the reserve is left.
  bool above_reserve() const { return available() > reserve(); }
  // Segments that can still be taken: free ones and what could be made.
  uint32_t available() const;
  uint32_t free_count() const { return free_count_; }

  // Writes the index of a segment that is full; it is sealed in either case.
  void Seal(Segment* segment, IndexBuilder* index);
  // Gives a dead segment back. REQUIRES: dead().
  void Retire(Segment* segment);
  // A segment found free (at recovery).
  void AddFree(Segment* segment);

 private:
  struct Job;  // one operation on one segment, with its block

  uint32_t reserve() const;
  void StartUse(SegmentKind kind);
  void Make();
  void MakeAhead(int64_t now_ns);
  // Gives a free segment back to the file system, when there have been too many for a while.
  void Trim(int64_t now_ns);
  void AskSpace(int64_t now_ns);
  void OnSpace(const io::OpResult& result);
  // Steps of the chains, each with the result of the operation before it.
  void OnStarted(Job* job, int32_t result);
  void OnMade(Job* job, int32_t result);
  void OnFilled(Job* job, int32_t result);
  void OnDirectorySynced(Job* job, int32_t result);
  void OnClosed(Job* job, int32_t result);
  void OnRemoved(Job* job, int32_t result);
  void OnGone(Job* job, int32_t result);
  void OnSealed(Job* job, int32_t result);
  void OnMarked(Job* job, int32_t result);
  Job* NewJob(Segment* segment, size_t buffer_bytes);
  void EndJob(Job* job);
  void WriteMark(Job* job, bool fresh);
  void MakeFailed(Job* job, int error);
  void Remove(Job* job);

  Log* log_;
  std::vector<std::unique_ptr<Job>> jobs_;
  uint32_t jobs_in_flight_ = 0;
  bool started_ = false;
  bool stopped_ = false;
  uint64_t next_generation_ = 1;
  uint32_t free_count_ = 0;
  Segment* ready_log_ = nullptr;
  Segment* ready_extents_ = nullptr;
  bool starting_[3] = {};  // by SegmentKind
  bool want_extents_ = false;
  bool reclaiming_ = false;
  bool making_ = false;
  uint32_t retiring_ = 0;
  int64_t not_before_ns_ = 0;  // after a failure
  int64_t excess_since_ns_ = 0;   // there are more free segments than are kept; 0: no
  uint32_t trim_below_ = 0;       // they are given back from the highest number on
  Segment* trimming_ = nullptr;   // is being removed
  int64_t next_space_ns_ = 0;
  bool asking_space_ = false;
  bool asked_to_make_ = false;  // the question is, or was, asked for the sake of the next segment
  bool declined_ = false;       // there was no room for it; the next poll asks again
  io::Op space_op_;
  io::SpaceInfo asked_space_;  // the operation's, written by the helper thread while it is asked
  io::SpaceInfo space_;        // the last answer, less what we took since
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_SEGMENT_POOL_H_
