// Transport: questions go to the name servers, replies come back.
//
// At most limits.h kDnsQuestionsInFlight questions are on the way at once, each on a channel of its
// own (dns/channel.h); the others wait their turn. Here is no cache: every question is asked.
//
// Questions about what had no answer before are *patient*: most of them will have none again, and
// keep their channel for long. They have three quarters of the channels at most, and while others
// wait as well only every fourth that becomes free.
//
// Lives on one shard. Close() forgets all questions at once; closed() when the last operation is
// over.
#ifndef OUTBOX_DNS_TRANSPORT_H_
#define OUTBOX_DNS_TRANSPORT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/intrusive_list.h"
#include "core/ip_address.h"
#include "core/timer_wheel.h"
#include "dns/answer.h"
#include "dns/counters.h"
#include "dns/name_servers.h"
#include "io/io.h"

namespace outbox::dns {

class Channel;

// How a question ended.
struct QuestionResult {
  Reply reply;  // kAnswer or kAlias when `answered`
  bool answered = false;
  std::string server;   // that answered
  bool edns = false;    // it took EDNS0
  std::string failure;  // when no server did: "192.0.2.53 did not answer, 192.0.2.54 ..."
};

// One question. Embedded in its owner, in place until it is done.
struct Question {
  template <auto Method, typename Owner>
  void Bind(Owner* target) {
    owner = target;
    done = [](void* of, QuestionResult* result) { (static_cast<Owner*>(of)->*Method)(result); };
  }

  std::string name;  // lower case; CanAskFor(name)
  RecordType type = RecordType::kMx;
  bool patient = false;
  bool tcp = false;  // by TCP at once: to see whether a server speaks it
  void* owner = nullptr;
  void (*done)(void* owner, QuestionResult* result) = nullptr;
  core::ListLink link;  // while it waits for a channel
};

class Transport {
 public:
  Transport(io::Io* io, core::TimerWheel* wheel, ResolverCounters* counters);
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  // REQUIRES: closed().
  ~Transport();

  // For the questions that begin from now on.
  void SetServers(const std::vector<core::SocketAddress>& servers);
  bool has_servers() const { return servers_->size() > 0; }

  // Asks; `done` is called once, never from inside of this. REQUIRES: has_servers(), not closing.
  void Ask(Question* question);
  // Somebody who is not patient wants the answer, too. REQUIRES: asked, not done.
  void Hurry(Question* question);

  // Forgets all questions: none of them will be done.
  void Close();
  bool closed() const { return busy_ == 0 && waiting_.empty() && patient_.empty(); }

  // --- For its channels ---
  void OnIdle(Channel* channel);
  io::Io* io() const { return io_; }
  core::TimerWheel* wheel() const { return wheel_; }
  ResolverCounters* counters() const { return counters_; }
  const std::shared_ptr<NameServers>& servers() const { return servers_; }

 private:
  using Questions = core::IntrusiveList<Question, &Question::link>;

  bool MayStart(const Question& question) const;
  void Start(Channel* channel, Question* question);
  Question* Next();

  io::Io* const io_;
  core::TimerWheel* const wheel_;
  ResolverCounters* const counters_;
  std::shared_ptr<NameServers> servers_;
  Questions waiting_;  // that are not patient
  Questions patient_;
  uint32_t patient_busy_ = 0;  // channels
  uint32_t turns_ = 0;         // taken while both kinds waited
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<Channel*> idle_;
  uint32_t busy_ = 0;
  bool closing_ = false;
};

}  // namespace outbox::dns

#endif  // OUTBOX_DNS_TRANSPORT_H_
