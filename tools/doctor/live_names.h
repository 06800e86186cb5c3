// LiveNames: the doctor's questions to real name servers, by the transport that the daemon uses.
//
// One question at a time, waited for; answers are kept as long as they hold. All waiting together
// has a bound: after that nothing more is asked.
#ifndef OUTBOX_TOOLS_DOCTOR_LIVE_NAMES_H_
#define OUTBOX_TOOLS_DOCTOR_LIVE_NAMES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip_address.h"
#include "dns/counters.h"
#include "dns/lookups.h"
#include "dns/transport.h"
#include "tools/doctor/blocking_loop.h"
#include "tools/doctor/names.h"

namespace outbox::tools {

class LiveNames final : public Names {
 public:
  LiveNames(BlockingLoop* loop, const std::vector<core::SocketAddress>& servers);
  LiveNames(const LiveNames&) = delete;
  LiveNames& operator=(const LiveNames&) = delete;
  ~LiveNames() override;

  dns::AnswerPtr Ask(std::string_view name, dns::RecordType type) override;

 private:
  BlockingLoop* const loop_;
  dns::ResolverCounters counters_;
  dns::Transport transport_;
  dns::Lookups lookups_;
  int64_t left_ns_;  // of the waiting
};

// How one server took one question.
struct ServerProbe {
  bool answered = false;
  dns::Reply reply;     // when it answered
  std::string failure;  // when it did not: "192.0.2.53 answered REFUSED"
  bool edns = false;    // it took EDNS0
  int64_t took_ns = 0;
};

// Asks one server, by UDP (then TCP, after truncation) or by TCP alone, and waits `limit_ns` at
// most. REQUIRES: CanAskFor(name), in lower case.
ServerProbe ProbeServer(BlockingLoop* loop, const core::SocketAddress& server,
                        const std::string& name, dns::RecordType type, bool tcp, int64_t limit_ns);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_LIVE_NAMES_H_
