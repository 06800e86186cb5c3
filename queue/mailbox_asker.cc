#include "queue/mailbox_asker.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "core/utf8.h"

namespace outbox::queue {
namespace {

int64_t RememberedNs(MailboxWord word) {
  switch (word) {
    case MailboxWord::kYes:
      return core::kMailboxYesNs;
    case MailboxWord::kNo:
      return core::kMailboxNoNs;
    case MailboxWord::kNotNow:
      break;
  }
  return core::kMailboxNotNowNs;
}

// A permanent answer to anything but RCPT is about us, and says nothing of mailboxes.
MailboxWord WordOf(const smtp::RecipientResult& result) {
  // It has no mailbox with a name that it cannot be told.
  if (result.kind == smtp::ResultKind::kNeedsSmtpUtf8) return MailboxWord::kNo;
  if (result.kind != smtp::ResultKind::kReply) return MailboxWord::kNotNow;
  if (result.reply.first_digit() == 2) return MailboxWord::kYes;
  const bool no = result.reply.first_digit() == 5 && result.stage == smtp::Stage::kRcpt;
  return no ? MailboxWord::kNo : MailboxWord::kNotNow;
}

}  // namespace

MailboxAsker::MailboxAsker(const smtp::ClientContext* lmtp) : context_(*lmtp) {
  smtp::ClientTimeouts& timeouts = context_.timeouts;
  timeouts.connect_ns = timeouts.greeting_ns = timeouts.hello_ns = core::kMailboxAskNs;
  timeouts.mail_ns = timeouts.rcpt_ns = core::kMailboxAskNs;
  timer_.Bind<&MailboxAsker::OnTimer>(this);
}

MailboxAsker::~MailboxAsker() { CHECK(connection_ == nullptr && open_ == 0); }

void MailboxAsker::SetServers(const std::vector<core::ViaHost>& servers) {
  const bool same = std::equal(servers.begin(), servers.end(), servers_.begin(), servers_.end(),
                               [](const core::ViaHost& a, const core::ViaHost& b) {
                                 return a.host == b.host && a.port == b.port;
                               });
  if (same) return;
  servers_ = servers;
  server_ = servers_failed_ = 0;
  down_until_ns_ = 0;
  known_.clear();
  known_order_.clear();
  stale_ = connection_ != nullptr;
  if (stale_) connection_->Abandon(smtp::SessionEnd::kCancelled);  // OnSessionEnd goes on
}

bool MailboxAsker::Ask(MailboxQuestion* question, std::string_view address, MailboxWord* word) {
  CHECK(!question->open());
  *word = MailboxWord::kNotNow;
  const auto known = known_.find(address);
  if (known != known_.end() && known->second.until_ns > now_ns()) {
    *word = known->second.word;
    return true;
  }
  if (closing_ || servers_.empty() || down_until_ns_ > now_ns() ||
      open_ >= core::kMailboxQuestionsMax) {
    return true;
  }
  question->address = address;
  question->asked_ns = now_ns();
  question->again = false;
  ++open_;
  waiting_.PushBack(question);
  ArmTimer();
  if (connection_ == nullptr) {
    Connect();
  } else {
    connection_->Poke();
  }
  return false;
}

void MailboxAsker::Cancel(MailboxQuestion* question) {
  if (!question->open()) return;
  question->link.Unlink();
  --open_;
}

void MailboxAsker::Connect() {
  const core::ViaHost& server = servers_[server_];
  served_ = stale_ = lost_ = false;
  smtp::DeliverySource* const source = this;
  connection_ = std::make_unique<smtp::ClientConnection>(&context_, source);
  if (server.path.empty()) {
    connection_->Start(server.address, nullptr);
  } else {
    connection_->StartUnix(server.path);
  }
}

// --- Questions -----------------------------------------------------------------------------------

void MailboxAsker::Remember(const std::string& address, MailboxWord word) {
  const auto [entry, is_new] = known_.try_emplace(address);
  entry->second = {word, now_ns() + RememberedNs(word)};
  if (!is_new) return;
  known_order_.push_back(address);
  if (known_order_.size() <= core::kMailboxAnswersKept) return;
  known_.erase(known_order_.front());
  known_order_.pop_front();
}

void MailboxAsker::Answer(MailboxQuestion* question, MailboxWord word) {
  question->link.Unlink();
  --open_;
  question->Complete(word);
}

void MailboxAsker::AnswerAll(Questions* questions, MailboxWord word) {
  // Who is answered may ask again at once.
  Questions due;
  while (MailboxQuestion* question = questions->PopFront()) due.PushBack(question);
  while (MailboxQuestion* question = due.front()) Answer(question, word);
}

// By the oldest question: those in the transaction came before those that wait.
void MailboxAsker::ArmTimer() {
  if (timer_.set()) return;
  const MailboxQuestion* oldest = asked_.empty() ? waiting_.front() : asked_.front();
  // Without a timer the connection's own have to do.
  if (oldest != nullptr) timer_.Set(context_.wheel, oldest->asked_ns + core::kMailboxAskNs);
}

void MailboxAsker::OnTimer() {
  const int64_t due_ns = now_ns() - core::kMailboxAskNs;
  bool late = false;
  for (Questions* questions : {&asked_, &waiting_}) {
    while (questions->front() != nullptr && questions->front()->asked_ns <= due_ns) {
      late = true;
      Answer(questions->front(), MailboxWord::kNotNow);
    }
  }
  if (late && connection_ != nullptr) connection_->Abandon(smtp::SessionEnd::kTimeout);
  ArmTimer();
}

// --- The session ---------------------------------------------------------------------------------

smtp::NextAnswer MailboxAsker::NextTransaction(smtp::DeliveryRequest* request) {
  if (closing_ || stale_) return smtp::NextAnswer::kNo;
  if (waiting_.empty()) return smtp::NextAnswer::kLater;
  recipients_.clear();
  views_.clear();
  CHECK(asked_.empty());
  // A server without SMTPUTF8 refuses all of a transaction that needs it: one kind at a time.
  const bool ascii = core::IsAscii(waiting_.front()->address);
  while (recipients_.size() < core::kClientRecipientsMax) {
    MailboxQuestion* question = waiting_.front();
    if (question == nullptr || core::IsAscii(question->address) != ascii) break;
    waiting_.PopFront();
    asked_.PushBack(question);
    if (std::find(recipients_.begin(), recipients_.end(), question->address) == recipients_.end()) {
      recipients_.push_back(question->address);
    }
  }
  views_.assign(recipients_.begin(), recipients_.end());
  request->envelope.recipients = views_;
  request->envelope.verify_only = true;
  request->envelope.utf8_address = !ascii;
  return smtp::NextAnswer::kYes;
}

smtp::NextAnswer MailboxAsker::NextWindow(uint64_t, smtp::BodyWindow*) {
  return smtp::NextAnswer::kNo;  // no message is ever sent
}

void MailboxAsker::ReleaseWindow(uint64_t, uint64_t) { CHECK(false); }

void MailboxAsker::OnResult(uint64_t, uint16_t recipient, const smtp::RecipientResult& result) {
  lost_ = result.kind == smtp::ResultKind::kLost;
  if (lost_) return;  // OnSessionEnd goes on
  const std::string& address = recipients_[recipient];
  const MailboxWord word = WordOf(result);
  Remember(address, word);
  servers_failed_ = 0;
  Questions due;
  MailboxQuestion* next = nullptr;
  for (MailboxQuestion* question = asked_.front(); question != nullptr; question = next) {
    next = asked_.Next(question);
    if (question->address != address) continue;
    asked_.Remove(question);
    due.PushBack(question);
  }
  while (MailboxQuestion* question = due.front()) Answer(question, word);
}

void MailboxAsker::OnTransactionDone(uint64_t) { served_ = served_ || !lost_; }

void MailboxAsker::OnSessionEnd(smtp::SessionEnd end, smtp::Stage, const smtp::Reply&) {
  // One that had served before, and was found dead, says nothing of its server; silence does.
  const bool served = served_ && end != smtp::SessionEnd::kTimeout;
  const bool good = end == smtp::SessionEnd::kQuit || std::exchange(stale_, false);
  connection_.reset();
  // What was lost with a connection that had served before is asked once more over another one.
  Questions given_up;
  Questions again;
  while (MailboxQuestion* question = asked_.PopFront()) {
    (served && question->again ? given_up : again).PushBack(question);
    question->again = question->again || served;
  }
  while (MailboxQuestion* question = waiting_.PopFront()) again.PushBack(question);
  while (MailboxQuestion* question = again.PopFront()) waiting_.PushBack(question);
  if (!good && !served && !servers_.empty()) {
    ++servers_failed_;
    server_ = (server_ + 1) % servers_.size();
    if (servers_failed_ == servers_.size()) {
      servers_failed_ = 0;
      down_until_ns_ = now_ns() + core::kMailboxNotNowNs;
    }
  }
  AnswerAll(&given_up, MailboxWord::kNotNow);
  if (closing_ || servers_.empty() || down_until_ns_ > now_ns()) {
    AnswerAll(&waiting_, MailboxWord::kNotNow);
  }
  if (!waiting_.empty() && connection_ == nullptr) Connect();
}

void MailboxAsker::Close() {
  closing_ = true;
  timer_.Cancel();
  AnswerAll(&asked_, MailboxWord::kNotNow);
  AnswerAll(&waiting_, MailboxWord::kNotNow);
  if (connection_ != nullptr) connection_->Abandon(smtp::SessionEnd::kCancelled);
}

}  // namespace outbox::queue
