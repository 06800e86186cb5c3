// What the tests of io/io.h's contract need from an implementation: one Io, a directory, a way to
// turn.
#ifndef OUTBOX_TESTS_IO_IO_ENVIRONMENT_H_
#define OUTBOX_TESTS_IO_IO_ENVIRONMENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "core/ip_address.h"
#include "core/time.h"
#include "gtest/gtest.h"
#include "io/io.h"

namespace outbox::io {

class IoEnvironment {
 public:
  virtual ~IoEnvironment() = default;
  virtual Io* io() = 0;
  // Exists and is empty.
  virtual std::string Directory() = 0;
  // Makes a unix socket that somebody listens at, and lets it accept nobody.
  virtual std::string UnixPath() = 0;
  // Who connects to a unix socket here.
  virtual uint32_t UnixUser() = 0;
  // An address of this machine, with port 0.
  virtual core::SocketAddress Address() { return {core::IpAddress::V4(127, 0, 0, 1), 0}; }
};

struct IoEnvironmentKind {
  std::string name;  // letters and digits
  std::function<std::unique_ptr<IoEnvironment>()> make;
};

// An operation that remembers what it was told.
struct Waiter {
  explicit Waiter(Io* of = nullptr) : io(of) { op.Bind<&Waiter::OnDone>(this); }

  void OnDone(const OpResult& outcome) {
    results.push_back(outcome.result);
    if (!outcome.more) over = true;
    if (outcome.result > 0 && !outcome.data.empty()) {
      bytes.append(outcome.data.data(), outcome.data.size());
      io->ReturnBuffer(outcome.buffer);
    }
  }
  // To be used again.
  void Clear() {
    results.clear();
    bytes.clear();
    over = false;
  }
  int32_t result() const { return results.empty() ? INT32_MIN : results.back(); }

  Io* io;
  Op op;
  std::vector<int32_t> results;
  std::string bytes;  // of Recv
  bool over = false;
};

class IoTest : public testing::TestWithParam<IoEnvironmentKind> {
 protected:
  void SetUp() override {
    environment_ = GetParam().make();
    ASSERT_NE(environment_, nullptr);
    io_ = environment_->io();
  }

  // Turns until the condition holds; false when it does not within many turns.
  bool Run(const std::function<bool()>& condition) {
    for (int turn = 0; turn < 20000; ++turn) {
      if (condition()) return true;
      io_->Turn(io_->now_ns() + 5 * core::kNsPerMs);
    }
    return condition();
  }
  // Runs until the operation is over; its last result.
  int32_t Finish(Waiter* waiter) {
    EXPECT_TRUE(Run([waiter] { return waiter->over; }));
    return waiter->result();
  }

  Socket Listen() {
    core::Result<Socket> listener = io_->Listen(environment_->Address(), false);
    EXPECT_TRUE(listener.ok()) << listener.status().ToString();
    return listener.ok() ? *listener : kNoHandle;
  }
  // Two ends of one connection: who connected, who accepted.
  std::pair<Socket, Socket> Connected() {
    const Socket listener = Listen();
    Waiter accept(io_);
    Waiter connect(io_);
    io_->Accept(&accept.op, listener);
    io_->Connect(&connect.op, io_->LocalAddress(listener), nullptr);
    EXPECT_TRUE(Run([&] { return connect.over && !accept.results.empty(); }));
    const Socket accepted = accept.results.empty() ? kNoHandle : accept.results[0];
    io_->Cancel(&accept.op);
    EXPECT_EQ(Finish(&accept), -ECANCELED);
    io_->CloseSocket(listener, false);
    EXPECT_GE(connect.result(), 0);
    EXPECT_GE(accepted, 0);
    return {connect.result(), accepted};
  }

  std::unique_ptr<IoEnvironment> environment_;
  Io* io_ = nullptr;
};

// In messages of GoogleTest.
inline void PrintTo(const IoEnvironmentKind& kind, std::ostream* out) { *out << kind.name; }

inline std::string IoEnvironmentName(const testing::TestParamInfo<IoEnvironmentKind>& info) {
  return info.param.name;
}

// The byte at a position of an endless stream that repeats nowhere near a buffer's size.
inline char PatternAt(uint64_t position) {
  return static_cast<char>((position * 0x9e3779b97f4a7c15u) >> 56);
}
inline std::string Pattern(size_t size, uint64_t from = 0) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = PatternAt(from + i);
  return bytes;
}

inline iovec Part(const std::string& bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace outbox::io

#endif  // OUTBOX_TESTS_IO_IO_ENVIRONMENT_H_
