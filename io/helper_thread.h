// HelperThread: where work goes that may block.
//
// Opening a file, fdatasync, a directory listing, crypt(3): none of it may stop a shard's loop, and
// none of it is on the way of a message. One thread per Io runs such work in the order in which it
// was given; results come back through a list that the shard empties in its turn. A mutex guards
// both lists: the callers are few and slow.
//
// The thread starts with the first work and takes no signals. All functions are the owner's, on one
// thread.
#ifndef OUTBOX_IO_HELPER_THREAD_H_
#define OUTBOX_IO_HELPER_THREAD_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace outbox::io {

struct Op;

class HelperThread {
 public:
  // Runs on the helper thread; the result is the operation's. Long work looks at `stop` now and
  // then and gives up with -ECANCELED when it is set.
  using Work = std::function<int32_t(const std::atomic<bool>& stop)>;

  struct Job {
    Op* op = nullptr;
    Work work;
    int32_t result = 0;
    std::atomic<bool> stop{false};
  };

  // `notify` is called on the helper thread after each job that ends. It must be thread-safe.
  explicit HelperThread(std::function<void()> notify);
  // Waits for the running job, if any. REQUIRES: every job was taken back (TakeDone) or cancelled.
  ~HelperThread();
  HelperThread(const HelperThread&) = delete;
  HelperThread& operator=(const HelperThread&) = delete;

  // Queues work for `op`. The job belongs to this object until TakeDone returns it or Cancel says
  // true.
  Job* Start(Op* op, Work work);
  // True: the job had not begun; it never will, and is gone. False: it runs or has run; it was told
  // to stop and comes back by TakeDone.
  bool Cancel(Job* job);
  // Jobs that have ended, in order. One atomic read when there are none.
  std::vector<std::unique_ptr<Job>> TakeDone();
  bool has_done() const { return done_count_.load(std::memory_order_acquire) > 0; }

 private:
  void Run();

  const std::function<void()> notify_;
  std::mutex mutex_;
  std::condition_variable work_there_;
  std::deque<std::unique_ptr<Job>> waiting_;  // guarded by mutex_
  std::vector<std::unique_ptr<Job>> done_;    // guarded by mutex_
  bool quit_ = false;                         // guarded by mutex_
  std::atomic<uint32_t> done_count_{0};
  std::thread thread_;
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_HELPER_THREAD_H_
