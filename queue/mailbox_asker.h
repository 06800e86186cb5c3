// MailboxAsker: asks the LMTP server which mailboxes it has, while a client waits for its RCPT.
//
// One connection a shard, over which MAIL and up to 64 RCPTs at a time are asked and taken back
// (RSET); it closes when there is nothing to ask. Answers are remembered for a short time, and so
// is that no server answers. Servers are tried in order, each once for a question.
//
// Nobody waits for ever: a question that is not answered in core::kMailboxAskNs, that comes when
// too many others wait, or while no server answers, gets "not now". Shard-local.
#ifndef OUTBOX_QUEUE_MAILBOX_ASKER_H_
#define OUTBOX_QUEUE_MAILBOX_ASKER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/intrusive_list.h"
#include "core/string_map.h"
#include "core/timer.h"
#include "smtp/client_connection.h"
#include "smtp/delivery_source.h"

namespace outbox::queue {

enum class MailboxWord : uint8_t { kYes, kNo, kNotNow };

// One question. Embedded in who asks; not asked any more when it is destroyed.
class MailboxQuestion {
 public:
  MailboxQuestion() = default;
  MailboxQuestion(const MailboxQuestion&) = delete;
  MailboxQuestion& operator=(const MailboxQuestion&) = delete;
  ~MailboxQuestion() { CHECK(!open()); }

  // question.Bind<&Session::OnWord>(this), with void OnWord(MailboxWord).
  template <auto Method, typename Owner>
  void Bind(Owner* owner) {
    owner_ = owner;
    done_ = [](void* target, MailboxWord word) { (static_cast<Owner*>(target)->*Method)(word); };
  }
  // It waits for its answer.
  bool open() const { return link.linked(); }

  // The asker's.
  void Complete(MailboxWord word) { done_(owner_, word); }
  std::string address;
  int64_t asked_ns = 0;
  bool again = false;  // a connection that had been idle was found dead under it
  core::ListLink link;

 private:
  void* owner_ = nullptr;
  void (*done_)(void*, MailboxWord) = nullptr;
};

class MailboxAsker : private smtp::DeliverySource {
 public:
  // `lmtp` is in LMTP mode and outlives this; only its timeouts are not taken.
  explicit MailboxAsker(const smtp::ClientContext* lmtp);
  MailboxAsker(const MailboxAsker&) = delete;
  MailboxAsker& operator=(const MailboxAsker&) = delete;
  // REQUIRES: closed(), or nothing was ever asked.
  ~MailboxAsker() override;

  // Addresses or unix sockets. What others have answered is forgotten.
  void SetServers(const std::vector<core::ViaHost>& servers);

  // True: *word is the answer. False: it comes from the loop. REQUIRES: !question->open().
  bool Ask(MailboxQuestion* question, std::string_view address, MailboxWord* word);
  // It is not answered. No effect on one that is not open.
  void Cancel(MailboxQuestion* question);

  // What is open, and comes from now on, is answered "not now".
  void Close();
  bool closed() const { return closing_ && connection_ == nullptr; }

 private:
  using Questions = core::IntrusiveList<MailboxQuestion, &MailboxQuestion::link>;
  struct Remembered {
    MailboxWord word = MailboxWord::kNotNow;
    int64_t until_ns = 0;
  };

  // smtp::DeliverySource
  smtp::NextAnswer NextTransaction(smtp::DeliveryRequest* request) override;
  smtp::NextAnswer NextWindow(uint64_t cookie, smtp::BodyWindow* window) override;
  void ReleaseWindow(uint64_t cookie, uint64_t token) override;
  void OnResult(uint64_t cookie, uint16_t recipient, const smtp::RecipientResult& result) override;
  void OnTransactionDone(uint64_t cookie) override;
  void OnSessionEnd(smtp::SessionEnd end, smtp::Stage stage, const smtp::Reply& reply) override;

  void Connect();
  void Remember(const std::string& address, MailboxWord word);
  void Answer(MailboxQuestion* question, MailboxWord word);
  void AnswerAll(Questions* questions, MailboxWord word);
  void OnTimer();
  void ArmTimer();
  int64_t now_ns() const { return context_.io->now_ns(); }

  smtp::ClientContext context_;
  std::vector<core::ViaHost> servers_;
  size_t server_ = 0;         // the one that is asked
  size_t servers_failed_ = 0;  // in a row
  int64_t down_until_ns_ = 0;  // none of them answers
  Questions waiting_;
  Questions asked_;  // in the transaction in hand, by the order of its recipients
  uint32_t open_ = 0;
  std::vector<std::string> recipients_;  // of the transaction in hand
  std::vector<std::string_view> views_;  // of these
  std::unique_ptr<smtp::ClientConnection> connection_;
  bool served_ = false;  // a transaction of this connection has had its answers
  bool lost_ = false;    // the one in hand has not
  bool closing_ = false;
  bool stale_ = false;  // SetServers: this connection is not to be used any more
  core::StringMap<Remembered> known_;
  std::deque<std::string> known_order_;  // the oldest first
  core::Timer timer_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_MAILBOX_ASKER_H_
