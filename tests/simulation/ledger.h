// Ledger: what the outside knows of every message, and whether it adds up.
//
// It stands where nobody can deceive it: it hears what clients were promised and what peers were
// given, never what the relay believes. At the end Check() says in sentences which of the promises
// of docs/architecture.md ("Invariants") were not kept.
//
// Every recipient address occurs in one message only, and every message carries its number in a
// header field, so that each copy and each bounce is known by what it says.
#ifndef OUTBOX_TESTS_SIMULATION_LEDGER_H_
#define OUTBOX_TESTS_SIMULATION_LEDGER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"
#include "tests/simulation/scripted_client.h"
#include "tests/simulation/scripted_server.h"

namespace outbox::simulation {

struct LedgerOptions {
  // The shortest time between a 4xx to a recipient and the next attempt at the same host; 0: any.
  int64_t retry_min_ns = 0;
  // Before that age no message expires; 0: whenever it likes.
  int64_t expire_ns = 0;
  // A death of the relay within this time after a delivery excuses another one (Relay::commit_ns).
  int64_t commit_ns = core::kNsPerMinute;
};

class Ledger {
 public:
  explicit Ledger(const LedgerOptions& options) : options_(options) {}

  void set_commit_ns(int64_t commit_ns) { options_.commit_ns = commit_ns; }

  // The header field that a message's content must begin with.
  static std::string IdField(uint64_t id);

  // A client begins to submit a message. Its recipients must be new.
  void Submitted(uint64_t id, const ClientMessage& message, int64_t now_ns);
  // What became of that.
  void Answered(uint64_t id, const ClientResult& result);
  // A peer has answered RCPT. In the order of time.
  void RecipientAnswered(const std::string& host, const RecipientAnswer& answer);
  // A peer has refused mail for these with 5xx after their RCPT.
  void Refused(const std::vector<std::string>& recipients) {
    for (const std::string& recipient : recipients) refused_.insert(Root(recipient));
  }
  // Mail for this domain can fail without a word about its recipients: nobody listens there, or a
  // host refuses whole sessions for good.
  void DomainMayFail(const std::string& domain) { failing_domains_.insert(domain); }
  // An operator wants mail tried now, whatever its time.
  void RetryOrdered(int64_t now_ns) { retries_.push_back(now_ns); }
  // An operator wants this recipient removed: it may be gone from now on, without a word.
  void RemovalOrdered(const std::string& recipient) { removing_.insert(recipient); }
  // The relay says that it is. Nothing goes to it any more, but what it forgets by dying soon.
  void Removed(const std::string& recipient, int64_t now_ns) { removed_[recipient] = now_ns; }
  // An operator wants `to`, which is new, in the place of this recipient: from now on the two are
  // one, of whom one copy or one bounce is right. False: nobody submitted it.
  bool RerouteOrdered(const std::string& recipient, const std::string& to);
  // The relay says that it is: nothing goes to the old address any more.
  void Rerouted(const std::string& recipient, int64_t now_ns) { rerouted_[recipient] = now_ns; }
  // Until an operator wants it back, or all that were ever in the place of the one.
  void BackOrdered(const std::string& recipient) { rerouted_.erase(Root(recipient)); }
  // An operator wants this recipient purged: it may be gone from now on, as after a removal.
  void PurgeOrdered(const std::string& recipient) { ++purging_[recipient]; }
  // What the relay says to that. Once it is purged nothing goes to it, whatever dies, until
  // somebody wants it back.
  void PurgeAnswered(const std::string& recipient, bool purged, int64_t now_ns);
  void UndoOrdered(const std::string& recipient) { purged_.erase(recipient); }
  // It is back: from now on it may not be gone any more.
  void Undone(const std::string& recipient);
  // An operator wants this recipient returned to its sender.
  void BounceOrdered(const std::string& recipient) { returned_.insert(recipient); }
  // The relay's process or machine died.
  void RelayDied(int64_t now_ns) { deaths_.push_back(now_ns); }
  // A message that a peer has taken. At the end, when it is known how its session ended.
  void Taken(const TakenMessage& message);

  // Recipients that were acknowledged.
  size_t acknowledged() const;

  // What lies in an archive that gets a copy of everything, with LF. At the end, when nothing is
  // queued.
  void CheckArchive(const std::vector<std::string>& texts);
  // Everything that is wrong. `queued`: recipients that the relay still has.
  std::vector<std::string> Check(const std::set<std::string>& queued) const;

 private:
  // One copy that arrived somewhere.
  struct Copy {
    int64_t taken_ns = 0;
    bool clean = false;
    bool dsn = false;  // at a host that was told what its sender wants to hear
  };
  struct Recipient {
    uint64_t message = 0;
    std::string asks;  // what the relay was told of that
    bool promised = false;  // 2xx to RCPT, and 2xx to the final dot
    bool accepted = false;  // 2xx to RCPT
    std::vector<Copy> copies;
    std::map<std::string, std::vector<Copy>> failures;  // failure DSNs, by Message-ID
    std::map<std::string, std::vector<Copy>> delays;
    std::map<std::string, std::vector<Copy>> successes;

    bool Wants(std::string_view what) const {
      if (asks.find(" NOTIFY=") == std::string::npos) return what != "SUCCESS";
      return asks.find(what) != std::string::npos;
    }
  };
  struct Message {
    ClientMessage sent;
    int64_t submitted_ns = 0;
    bool dot_sent = false;
    bool acknowledged = false;
  };

  void TakenMail(uint64_t id, const TakenMessage& message);
  void TakenDsn(const TakenMessage& message);
  // RFC 3461: nothing that its sender does not want to hear, and all that it does.
  void CheckNotices(const std::string& address, const Recipient& recipient, bool queued,
                    std::vector<std::string>* wrong) const;
  void Wrong(std::string what) { wrong_.push_back(std::move(what)); }
  // Whom it was submitted to, of one that an operator has put in the place of another.
  const std::string& Root(const std::string& address) const {
    const auto found = roots_.find(address);
    return found == roots_.end() ? address : found->second;
  }
  // Some address of the recipient is in `domains`, by its domain.
  bool MayFail(const std::string& address) const;
  bool RetriedBetween(int64_t from_ns, int64_t to_ns) const;
  bool DiedBetween(int64_t from_ns, int64_t to_ns) const;
  bool Excused(const Copy& copy) const;
  bool VanishedLawfully(const std::string& address, const Message& message) const;
  // Why a bounce of it may be: a host, its domain, or its age.
  bool HasCause(const std::string& address, const Recipient& recipient) const;
  void CheckRecipient(const std::string& address, const Recipient& recipient, bool queued,
                      std::vector<std::string>* wrong) const;
  void CheckCopies(const std::string& what, const std::vector<Copy>& copies,
                   std::vector<std::string>* wrong) const;

  LedgerOptions options_;
  std::map<uint64_t, Message> messages_;
  std::map<std::string, Recipient> recipients_;                      // by address
  std::map<std::pair<std::string, std::string>, int64_t> deferred_;  // (host, recipient) -> when
  std::set<std::string> refused_;  // addresses, of senders (of DSNs) as well
  std::set<std::string> failing_domains_;
  std::vector<int64_t> deaths_;
  std::vector<int64_t> retries_;
  std::set<std::string> removing_;
  std::map<std::string, int64_t> removed_;
  std::map<std::string, std::string> roots_;                  // by new address
  std::map<std::string, std::vector<std::string>> names_of_;  // the new addresses, by root
  std::map<std::string, int64_t> rerouted_;
  std::map<std::string, std::vector<Copy>> came_to_;  // of them, by the address itself
  std::map<std::string, int> purging_;  // orders that may have an effect still, or had one
  std::map<std::string, int64_t> purged_;
  std::set<std::string> returned_;
  std::vector<std::string> wrong_;  // found on the way
};

}  // namespace outbox::simulation

#endif  // OUTBOX_TESTS_SIMULATION_LEDGER_H_
