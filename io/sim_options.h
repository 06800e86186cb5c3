// SimOptions: what a simulated world (io/sim_world.h) is like: its latencies and its faults.
//
// The defaults are a healthy machine on a healthy network. A simulation program draws these numbers
// from its seed; a test sets the one that it is about. Probabilities are in parts per million, so
// that they stay exact integers.
#ifndef OUTBOX_IO_SIM_OPTIONS_H_
#define OUTBOX_IO_SIM_OPTIONS_H_

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "core/time.h"

namespace outbox::io {

// A latency: uniform in [low_ns, high_ns].
struct SimRange {
  int64_t low_ns = 0;
  int64_t high_ns = 0;
};

struct SimDiskOptions {
  SimRange read = {20 * core::kNsPerUs, 200 * core::kNsPerUs};
  SimRange write = {20 * core::kNsPerUs, 600 * core::kNsPerUs};
  SimRange sync = {100 * core::kNsPerUs, 2 * core::kNsPerMs};
  // Open, rename, list and everything else that takes a path; also Fill.
  SimRange metadata = {20 * core::kNsPerUs, core::kNsPerMs};

  uint64_t capacity_bytes = uint64_t{1} << 40;
  bool direct_supported = true;  // false: OpenOptions::direct gives -EINVAL, as on tmpfs of old

  uint32_t read_error_ppm = 0;   // -EIO
  uint32_t write_error_ppm = 0;  // -EIO; any sectors of the write may have changed
  uint32_t sync_error_ppm = 0;   // -EIO; unsynced writes of the file are lost in part
  uint32_t short_write_ppm = 0;  // fewer bytes than asked for
};

struct SimNetworkOptions {
  SimRange latency = {50 * core::kNsPerUs,
                      2 * core::kNsPerMs};          // one way, when nothing is on its way
  SimRange segment_gap = {0, 50 * core::kNsPerUs};  // between pieces that follow each other
  // Bytes that one direction holds, sent and not yet read: the socket buffers of both ends
  // together. Drawn for each connection and direction.
  size_t window_bytes_min = 4096;
  size_t window_bytes_max = 256 * 1024;
  // The longest piece in which bytes arrive. Each connection draws its own from a few sizes up to
  // it.
  size_t segment_bytes_max = 65536;
  uint32_t byte_by_byte_ppm = 0;  // connections whose bytes arrive one by one

  uint32_t connect_refused_ppm = 0;
  // A Connect fails at once with connect_error: for want of something of our own.
  uint32_t connect_error_ppm = 0;
  int connect_error = EMFILE;
  uint32_t connect_lost_ppm = 0;  // nobody answers; -ETIMEDOUT after connect_timeout_ns
  uint32_t accept_error_ppm =
      0;                    // an Accept ends with -EMFILE; the connection stays in the backlog
  uint32_t reset_ppm = 0;   // per piece that arrives: both ends lose the connection
  uint32_t silent_ppm = 0;  // per piece that arrives: nothing arrives any more, nobody is told
  uint32_t stall_ppm = 0;   // per piece that arrives: the next one takes `stall`
  SimRange stall = {core::kNsPerSecond, 5 * core::kNsPerMinute};
  int64_t connect_timeout_ns = 127 * core::kNsPerSecond;     // of the kernel's SYN retries
  int64_t retransmit_timeout_ns = 924 * core::kNsPerSecond;  // unacknowledged bytes: -ETIMEDOUT
  size_t backlog = 128;

  uint32_t udp_open_error_ppm = 0;  // OpenUdp gives -EMFILE
  uint32_t datagram_lost_ppm = 0;
  uint32_t datagram_twice_ppm = 0;
  uint32_t datagram_late_ppm = 0;  // takes `datagram_late` longer: others overtake it
  SimRange datagram_late = {core::kNsPerMs, 5 * core::kNsPerSecond};
};

struct SimOptions {
  uint64_t seed = 1;
  int64_t start_ns = 1000 * core::kNsPerSecond;
  int64_t start_wall_ns = 1'700'000'000 * core::kNsPerSecond;

  SimRange turn = {core::kNsPerUs, 20 * core::kNsPerUs};  // what a turn costs its shard; low >= 1
  SimRange wake = {core::kNsPerUs, 50 * core::kNsPerUs};  // from Wake to the end of the sleep
  SimRange helper = {10 * core::kNsPerUs, 5 * core::kNsPerMs};
  SimRange long_helper = {core::kNsPerMs, 200 * core::kNsPerMs};
  SimRange cancel = {0, 100 * core::kNsPerUs};  // in which a result may still come first
  uint64_t turns_max = 100'000'000;             // of one Run; a loop that never sleeps ends there

  // Provided buffers of one SimIo: few and small, so that parking is exercised.
  uint32_t receive_buffers = 16;
  size_t receive_buffer_bytes = 4096;

  SimDiskOptions disk = {};
  SimNetworkOptions network = {};
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_SIM_OPTIONS_H_
