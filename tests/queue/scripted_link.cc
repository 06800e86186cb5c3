#include "tests/queue/scripted_link.h"

#include <utility>

#include "core/check.h"

namespace outbox::queue {

ScriptedLink::ScriptedLink(ShardWorld* world, uint32_t shard, const std::string& host,
                           smtp::DeliverySource* source)
    : world_(world), shard_(shard), host_(host), source_(source) {
  Later(&ScriptedLink::OnConnected);
}

ScriptedLink::~ScriptedLink() {
  CHECK(ended_);
  *alive_ = false;
}

void ScriptedLink::Later(void (ScriptedLink::*step)()) {
  const int64_t delay_ns = script().step_ns + world_->random().Between(0, script().step_ns / 4);
  world_->At(world_->now_ns() + delay_ns, [this, alive = alive_, step] {
    if (*alive && !ended_) (this->*step)();
  });
}

void ScriptedLink::Poke() {
  CHECK(!in_source_);
  if (open_) Later(&ScriptedLink::Ask);
}

void ScriptedLink::OfferWindow(uint64_t cookie) {
  if (ended_) return;
  CHECK(!in_source_ && wants_window_ && cookie == in_hand_.front()->request.cookie);
  wants_window_ = false;
  Later(&ScriptedLink::SendBody);
}

void ScriptedLink::Quit() {
  CHECK(!in_source_);
  no_more_ = true;
  Later(&ScriptedLink::Ask);
}

void ScriptedLink::Abandon(smtp::SessionEnd why) {
  CHECK(!in_source_);
  end_ = why;
  end_stage_ = smtp::Stage::kRcpt;
  Later(&ScriptedLink::EndNow);
}

void ScriptedLink::EndNow() { End(end_, end_stage_, end_code_); }

void ScriptedLink::OnConnected() {
  ++world_->connects_[host_];
  const Script& s = script();
  if (s.shortages > 0) {
    --world_->scripts_[host_].shortages;
    return End(s.shortage, smtp::Stage::kConnect, 0);
  }
  if (!s.up || s.accepts_connections == 0) {
    return End(smtp::SessionEnd::kConnectFailed, smtp::Stage::kConnect, 0);
  }
  if (s.accepts_connections != UINT32_MAX) --world_->scripts_[host_].accepts_connections;
  connected_ = true;
  uint32_t& connected = world_->connected_[host_];
  ++connected;
  world_->peak_[host_] = std::max(world_->peak_[host_], connected);
  world_->peak_of_all_ = std::max(world_->peak_of_all_, ++world_->connected_to_all_);
  if (s.greeting != 220) {
    return End(smtp::SessionEnd::kRefused, smtp::Stage::kGreeting, s.greeting);
  }
  open_ = true;
  Ask();
}

void ScriptedLink::Ask() {
  if (no_more_) {
    if (in_hand_.empty()) End(smtp::SessionEnd::kQuit, smtp::Stage::kQuit, 0);
    return;
  }
  if (in_hand_.size() >= 2 || (in_hand_.size() == 1 && !in_hand_.front()->body_sent)) return;
  auto t = std::make_unique<Transaction>();
  in_source_ = true;
  const smtp::NextAnswer answer = source_->NextTransaction(&t->request);
  in_source_ = false;
  if (answer == smtp::NextAnswer::kNo) {
    no_more_ = true;
    if (in_hand_.empty()) Later(&ScriptedLink::Ask);
  }
  if (answer != smtp::NextAnswer::kYes) return;
  CHECK(!t->request.envelope.recipients.empty() && t->request.envelope.recipients.size() <= 64);
  t->accepted.assign(t->request.envelope.recipients.size(), false);
  t->recipients = Names(t->request);
  in_hand_.push_back(std::move(t));
  if (in_hand_.size() == 1) Later(&ScriptedLink::Envelope);
}

std::string ScriptedLink::Names(const smtp::DeliveryRequest& request) {
  std::string names(request.envelope.reverse_path);
  for (std::string_view recipient : request.envelope.recipients) names.append(recipient);
  return names.append(request.prefix);
}

void ScriptedLink::Result(Transaction* t, size_t index, smtp::ResultKind kind, uint16_t code,
                          smtp::Stage stage) {
  smtp::RecipientResult result;
  result.kind = kind;
  result.stage = stage;
  result.reply.code = code;
  result.reply.text = code / 100 == 2 ? "ok" : "scripted";
  source_->OnResult(t->request.cookie, static_cast<uint16_t>(index), result);
}

void ScriptedLink::Envelope() {
  if (in_hand_.empty()) return;
  Transaction* t = in_hand_.front().get();
  if (Chance(script().break_session)) {
    return End(smtp::SessionEnd::kPeerClosed, smtp::Stage::kRcpt, 0);
  }
  bool any = false;
  t->begun_envelope = true;
  for (size_t i = 0; i < t->accepted.size(); ++i) {
    if (Chance(script().refuse_rcpt)) {
      Result(t, i, smtp::ResultKind::kReply, 550, smtp::Stage::kRcpt);
    } else if (Chance(script().defer_rcpt)) {
      Result(t, i, smtp::ResultKind::kReply, 450, smtp::Stage::kRcpt);
    } else if (any && Chance(script().full_transaction)) {
      Result(t, i, smtp::ResultKind::kTryNext, 452, smtp::Stage::kRcpt);
    } else {
      t->accepted[i] = any = true;
    }
  }
  if (any) {
    Later(&ScriptedLink::SendBody);
  } else {
    EndTransaction();
  }
}

void ScriptedLink::SendBody() {
  if (in_hand_.empty() || in_hand_.front()->body_sent) return;
  Transaction* t = in_hand_.front().get();
  for (;;) {
    smtp::BodyWindow window;
    const smtp::NextAnswer answer = source_->NextWindow(t->request.cookie, &window);
    if (answer == smtp::NextAnswer::kLater) {
      wants_window_ = true;
      Later(&ScriptedLink::SentSoFar);
      return;
    }
    if (answer == smtp::NextAnswer::kNo) {
      return End(smtp::SessionEnd::kSourceFailed, smtp::Stage::kBody, 0);
    }
    t->body.append(window.bytes.data(), window.bytes.size());
    t->windows.push_back(window.token);
    if (window.last) break;
    if (t->windows.size() > 1) {
      source_->ReleaseWindow(t->request.cookie, t->windows.front());
      t->windows.erase(t->windows.begin());
    }
  }
  t->body_sent = true;
  Later(&ScriptedLink::FinalDot);
  Ask();
}

// The peer has read what we had for it.
void ScriptedLink::SentSoFar() {
  if (in_hand_.empty() || in_hand_.front()->body_sent) return;
  Transaction* t = in_hand_.front().get();
  std::vector<uint64_t> sent;
  sent.swap(t->windows);
  for (uint64_t token : sent) source_->ReleaseWindow(t->request.cookie, token);
}

void ScriptedLink::FinalDot() {
  Transaction* t = in_hand_.front().get();
  if (Chance(script().break_session)) {
    return End(smtp::SessionEnd::kPeerClosed, smtp::Stage::kFinalDot, 0);
  }
  const bool defer = Chance(script().defer_data);
  for (size_t i = 0; i < t->accepted.size(); ++i) {
    if (!t->accepted[i]) continue;
    t->accepted[i] = false;
    if (!defer) world_->OnPeerAccepted(t->request, i, t->body, shard_);
    Result(t, i, smtp::ResultKind::kReply, defer ? 451 : 250, smtp::Stage::kFinalDot);
  }
  EndTransaction();
}

void ScriptedLink::EndTransaction() {
  const std::unique_ptr<Transaction> t = std::move(in_hand_.front());
  in_hand_.pop_front();
  CHECK(t->recipients == Names(t->request));  // the views must have been valid all the time
  const bool early = Chance(50);
  const auto release = [&] {
    for (uint64_t token : t->windows) source_->ReleaseWindow(t->request.cookie, token);
  };
  if (early) release();
  in_source_ = true;
  source_->OnTransactionDone(t->request.cookie);
  in_source_ = false;
  if (!early) release();
  if (!in_hand_.empty()) Later(&ScriptedLink::Envelope);
  Ask();
}

void ScriptedLink::End(smtp::SessionEnd end, smtp::Stage stage, uint16_t code) {
  ended_ = true;
  while (!in_hand_.empty()) {
    const std::unique_ptr<Transaction> t = std::move(in_hand_.front());
    in_hand_.pop_front();
    const bool begun = t->body_sent || stage != smtp::Stage::kFinalDot;
    for (size_t i = 0; i < t->accepted.size(); ++i) {
      const bool undecided = t->accepted[i] || !t->begun_envelope;
      if (undecided) {
        Result(t.get(), i, smtp::ResultKind::kLost, 0, begun ? stage : smtp::Stage::kMail);
      }
    }
    for (uint64_t token : t->windows) source_->ReleaseWindow(t->request.cookie, token);
    in_source_ = true;
    source_->OnTransactionDone(t->request.cookie);
    in_source_ = false;
  }
  if (connected_) {
    --world_->connected_[host_];
    --world_->connected_to_all_;
  }
  smtp::Reply reply;
  reply.code = code;
  reply.text = code != 0 ? "scripted" : "";
  source_->OnSessionEnd(end, stage, reply);  // deletes this
}

}  // namespace outbox::queue
