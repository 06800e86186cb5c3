#include "io/helper_thread.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

#include "core/check.h"

namespace outbox::io {

HelperThread::HelperThread(std::function<void()> notify) : notify_(std::move(notify)) {}

HelperThread::~HelperThread() {
  if (thread_.joinable()) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      quit_ = true;
    }
    work_there_.notify_one();
    thread_.join();
  }
  CHECK(waiting_.empty() && done_.empty());
}

HelperThread::Job* HelperThread::Start(Op* op, Work work) {
  auto job = std::make_unique<Job>();
  job->op = op;
  job->work = std::move(work);
  Job* started = job.get();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(job));
  }
  if (!thread_.joinable()) {
    // The thread inherits the mask: signals are for the threads that know what to do with them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    thread_ = std::thread([this] { Run(); });
    CHECK(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
  }
  work_there_.notify_one();
  return started;
}

bool HelperThread::Cancel(Job* job) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
    if (it->get() != job) continue;
    waiting_.erase(it);
    return true;
  }
  job->stop.store(true, std::memory_order_relaxed);
  return false;
}

std::vector<std::unique_ptr<HelperThread::Job>> HelperThread::TakeDone() {
  std::vector<std::unique_ptr<Job>> taken;
  if (!has_done()) return taken;
  std::lock_guard<std::mutex> lock(mutex_);
  taken.swap(done_);
  done_count_.store(0, std::memory_order_relaxed);
  return taken;
}

void HelperThread::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_there_.wait(lock, [this] { return quit_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::unique_ptr<Job> job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job->result = job->work(job->stop);
    lock.lock();
    done_.push_back(std::move(job));
    done_count_.store(static_cast<uint32_t>(done_.size()), std::memory_order_release);
    lock.unlock();
    notify_();
    lock.lock();
  }
}

}  // namespace outbox::io
