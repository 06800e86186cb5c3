#include "tools/doctor/resolver_checks.h"

#include <algorithm>

#include "core/time.h"
#include "dns/codec.h"
#include "dns/name_servers.h"
#include "tools/doctor/live_names.h"

namespace outbox::tools {
namespace {

using core::SocketAddress;

constexpr int64_t kProbeNs = 3 * core::kNsPerSecond;
// A second question, which it has the answer to at hand, takes at most so long in one's own
// network.
constexpr int64_t kSlowNs = 50 * core::kNsPerMs;
// RFC 6761 6.3: a resolver knows it by itself.
constexpr const char* kOwnName = "localhost";
constexpr int64_t kOwnProbeNs = core::kNsPerSecond;
// RFC 6761 6.4: it never exists.
constexpr const char* kNoName = "outbox-doctor.invalid";

// Resolvers that are open to everybody.
bool IsPublic(const core::IpAddress& address) {
  static constexpr const char* kPublic[] = {"1.0.0.1",
                                            "1.1.1.1",
                                            "8.8.4.4",
                                            "8.8.8.8",
                                            "9.9.9.9",
                                            "9.9.9.10",
                                            "64.6.64.6",
                                            "94.140.14.14",
                                            "149.112.112.112",
                                            "208.67.220.220",
                                            "208.67.222.222",
                                            "2001:4860:4860::8844",
                                            "2001:4860:4860::8888",
                                            "2606:4700:4700::1001",
                                            "2606:4700:4700::1111",
                                            "2620:fe::9",
                                            "2620:fe::fe"};
  const std::string text = address.ToString();
  return std::any_of(std::begin(kPublic), std::end(kPublic),
                     [&](const char* one) { return text == one; });
}

std::string NameOf(const SocketAddress& server) {
  return server.port == dns::kDnsPort ? server.ip.ToString() : server.ToString();
}

// The failure without the server's name, which stands beside it.
std::string WithoutName(std::string failure, const std::string& server) {
  if (failure.starts_with(server + " ")) failure.erase(0, server.size() + 1);
  return failure;
}

std::string FixOfSilence(const std::string& server, const std::string& failure) {
  const std::string other =
      "name another one in [resolver] servers of the configuration, or in "
      "/etc/resolv.conf where that is used.";
  if (failure.find("REFUSED") != std::string::npos) {
    return "Allow this machine to ask " + server + " (its access control), or " + other;
  }
  if (failure.find("SERVFAIL") != std::string::npos) {
    return "It could not find out: see its log, and whether it may send to port 53 of the "
           "Internet; or " +
           other;
  }
  return "Start it, let UDP port 53 through to it, or " + other;
}

void CheckTcp(const SocketAddress& server, const std::string& name, BlockingLoop* loop,
              Report* report) {
  const std::string what = NameOf(server);
  const ServerProbe probe =
      ProbeServer(loop, server, name, dns::RecordType::kA, /*tcp=*/true, kProbeNs);
  if (probe.answered) return;
  report->Warn(what,
               "does not answer by TCP (" + WithoutName(probe.failure, what) +
                   "): large answers, with many hosts or long keys, cannot be had",
               "Let TCP port 53 through to it, or name another server.");
}

void CheckInvention(const SocketAddress& server, BlockingLoop* loop, Report* report) {
  const ServerProbe probe =
      ProbeServer(loop, server, kNoName, dns::RecordType::kA, /*tcp=*/false, kProbeNs);
  if (!probe.answered || probe.reply.answer != dns::AnswerKind::kRecords) return;
  report->Warn(NameOf(server),
               "invents addresses: it has some for " + std::string(kNoName) +
                   ", which cannot exist; mail to misspelled domains would go to that host",
               "Ask whoever runs it to switch that off, or name another server; one on this "
               "machine (unbound, say) is best.");
}

// It gave no answer about `name`. True: only about that one, which is then not its fault.
bool CheckSilence(const SocketAddress& server, const std::string& name, const std::string& failure,
                  bool another, BlockingLoop* loop, Report* report) {
  const std::string what = NameOf(server);
  const std::string finding = failure + ", asked about " + name;
  const bool lives =
      name != kOwnName &&
      ProbeServer(loop, server, kOwnName, dns::RecordType::kA, /*tcp=*/false, kOwnProbeNs).answered;
  if (lives) {
    report->Warn(what, finding + ", and answers otherwise",
                 "Most likely the name servers of " + name +
                     " do not answer, or its DNSSEC is broken: tell whoever runs its DNS.");
  } else if (another) {
    report->Warn(what, finding, FixOfSilence(what, failure));
  } else {
    report->Fail(what, finding, FixOfSilence(what, failure));
  }
  return lives;
}

// False: it is of no use.
bool CheckOne(const SocketAddress& server, const std::string& name, bool another,
              BlockingLoop* loop, Report* report) {
  const std::string what = NameOf(server);
  const ServerProbe first =
      ProbeServer(loop, server, name, dns::RecordType::kA, /*tcp=*/false, kProbeNs);
  if (!first.answered) {
    return CheckSilence(server, name, WithoutName(first.failure, what), another, loop, report);
  }
  const ServerProbe second =
      ProbeServer(loop, server, name, dns::RecordType::kA, /*tcp=*/false, kProbeNs);
  report->Ok(what, "answers in " + std::to_string(second.took_ns / core::kNsPerMs) + " ms");
  if (second.answered && second.took_ns > kSlowNs) {
    report->Note(what,
                 "an answer that it has at hand takes long; a resolver on this machine or in "
                 "its network would be faster");
  }
  if (!first.edns) {
    report->Note(what, "knows no EDNS0: larger answers cost a TCP connection each");
  }
  if (IsPublic(server.ip)) {
    report->Note(what,
                 "a public resolver: many DNS block lists refuse its questions, and it may "
                 "limit how much it is asked; a resolver of your own does neither");
  }
  CheckTcp(server, name, loop, report);
  CheckInvention(server, loop, report);
  return true;
}

}  // namespace

bool CheckResolvers(const std::vector<SocketAddress>& servers, const std::string& name,
                    BlockingLoop* loop, Report* report) {
  if (servers.empty()) {
    report->Fail("resolver", "no name server is known",
                 "Set [resolver] servers in the configuration, or nameserver in "
                 "/etc/resolv.conf.");
    return false;
  }
  bool any = false;
  for (const SocketAddress& server : servers) {
    // A silent one costs time, and no more as long as another one answers.
    any = CheckOne(server, name, servers.size() > 1, loop, report) || any;
  }
  if (any) return true;
  report->Fail("resolver",
               "no name server answers: mail by MX cannot be sent, and nothing more of the DNS is "
               "looked at",
               "Repair one of them first; see above.");
  return false;
}

}  // namespace outbox::tools
