#include "tests/queue/shard_world.h"

#include <bit>
#include <utility>

#include "core/check.h"
#include "core/hash.h"
#include "core/timer.h"
#include "queue/message_meta.h"
#include "tests/queue/scripted_link.h"

namespace outbox::queue {

ShardWorld::ShardWorld(const Options& options)
    : options_(options),
      rate_(options.rate),
      limits_(options.limits),
      random_(options.seed),
      finder_(&now_ns_,
              [this](int64_t time_ns, std::function<void()> event) {
                At(time_ns, std::move(event));
              }),
      exchange_(options.shards, options.tiny_mailboxes),
      sites_(64) {
  for (uint32_t i = 0; i < options.shards; ++i) {
    auto shard = std::make_unique<Shard>();
    shard->world = this;
    shard->index = i;
    shard->io.SetNow(now_ns_);
    shard->wheel = std::make_unique<core::TimerWheel>(now_ns_, 1u << 20);
    shard->random = std::make_unique<core::Random>(random_.Next());
    shard->post = std::make_unique<PostOffice>(&exchange_, static_cast<uint8_t>(i));
    OwnerContext context;
    context.io = &shard->io;
    context.wheel = shard->wheel.get();
    context.random = shard->random.get();
    context.post = shard->post.get();
    context.sites = &sites_;
    context.links = shard.get();
    context.finder = &finder_;
    context.max_connections = options_.max_connections;
    context.policy_for = [this](std::string_view key, const SiteHosts& hosts) {
      SitePolicy policy = SiteOfHosts(hosts);
      const auto limit = limits_.find(std::string(key));
      policy.max_connections = limit == limits_.end() ? options_.limit : limit->second;
      policy.rate = rate_;
      return policy;
    };
    shard->table = std::make_unique<DestinationTable>(context);
    shard->post->SetHandlers(shard.get(), shard->table.get(), shard.get());
    shards_.push_back(std::move(shard));
  }
}

void ShardWorld::At(int64_t time_ns, std::function<void()> event) {
  events_.push({std::max(time_ns, now_ns_), random_.Next(), ++events_made_, std::move(event)});
}

void ShardWorld::BuildBytes(TestMail* mail, const std::string& key, const MailOptions& options) {
  const uint64_t id = mails_.size();
  MetaBuilder builder;
  builder.Start(id, 0, 0, "sender" + std::to_string(options.sender) + "@example.org", "192.0.2.1");
  const uint32_t retry_s = options.retry_s;
  builder.AddGroup(key, "route", {&retry_s, 1}, Periods{});
  for (uint32_t i = 0; i < options.recipients; ++i) {
    builder.AddRecipient("r" + std::to_string(i) + "@example.net");
  }
  builder.SetPrefix(std::to_string(id));
  mail->body = "message " + std::to_string(id) + "\r\n.\r\n";
  if (options.extents == 0) {
    builder.SetBody(mail->body.size(), 0);
  } else {
    std::vector<Extent> extents;
    mail->body.clear();
    for (uint32_t i = 1; i <= options.extents; ++i) {
      const bool last = i == options.extents;
      mail->extents.push_back("part " + std::to_string(i) + (last ? "\r\n.\r\n" : "\r\n"));
      mail->body += mail->extents.back();
      Extent extent;
      extent.generation = id + 1;
      extent.offset = i * 4096;
      extent.length = static_cast<uint32_t>(mail->extents.back().size());
      extents.push_back(extent);
    }
    builder.SetExtents(mail->body.size(), 0, extents);
  }
  const std::span<const char> meta = builder.Finish();
  mail->bytes.assign(meta.data(), meta.size());
  if (options.extents == 0) mail->bytes += mail->body;
}

TestMail* ShardWorld::Send(uint32_t home, const std::string& key, const MailOptions& options) {
  auto mail = std::make_unique<TestMail>();
  BuildBytes(mail.get(), key, options);
  mail->accepted_ns = now_ns_;
  mail->lease = options.lease;
  Ticket& ticket = mail->ticket;
  ticket.message_id = mails_.size();
  ticket.mask = options.recipients == 64 ? ~uint64_t{0} : (uint64_t{1} << options.recipients) - 1;
  ticket.sender_hash = options.sender;
  ticket.priority = options.priority;
  ticket.home = static_cast<uint8_t>(home);
  ticket.deadline_ns = options.deadline_ns;
  ticket.retry_s = options.retry_s;
  DirectoryEntry& entry = shards_[home]->directory[key];
  entry.key = key;
  entry.hash = core::Hash64(key);
  ticket.destination = &entry;
  by_ticket_[&ticket] = mail.get();
  mails_.push_back(std::move(mail));
  Offer(mails_.back().get());
  return mails_.back().get();
}

void ShardWorld::Offer(TestMail* mail) {
  CHECK(!mail->out);
  mail->out = true;
  mail->recall_sent = false;
  ++mail->offers;
  Ticket& ticket = mail->ticket;
  if (mail->lease && mail->offers == 1) {
    ticket.window = {mail->bytes.data(), static_cast<uint32_t>(mail->bytes.size()), 0};
    ++mail->leases;
  }
  const uint32_t owner = static_cast<uint32_t>(ticket.destination->hash % options_.shards);
  const uint32_t to = ticket.destination->lane_open ? ticket.home : owner;
  shards_[ticket.home]->post->Offer(static_cast<uint8_t>(to), &ticket);
}

void ShardWorld::Recall(TestMail* mail) {
  if (!mail->out || mail->recall_sent) return;
  mail->recall_sent = true;
  shards_[mail->ticket.home]->post->Recall(&mail->ticket);
}

void ShardWorld::Shard::OnReturn(Ticket* ticket) {
  TestMail* mail = world->MailOf(ticket);
  CHECK(mail->out && ticket->home == index && mail->leases == 0);
  CHECK(ticket->timer == core::TimerWheel::kNone && !ticket->window && !ticket->fetching);
  mail->out = false;
  ++mail->returns;
  mail->reason = ticket->result->reason;
  mail->returned_ns = world->now_ns_;
  uint64_t told = ticket->result->delivered;
  mail->delivered |= ticket->result->delivered;
  uint64_t left = ticket->mask & ~ticket->result->delivered;
  for (const RecipientResult& failed : ticket->result->failed) {
    const uint64_t bit = uint64_t{1} << (failed.recipient - ticket->first);
    CHECK((told & bit) == 0 && (ticket->mask & bit) != 0 && !failed.text.empty());
    told |= bit;
    if (failed.verdict != Verdict::kBounced) continue;
    mail->bounced |= bit;
    left &= ~bit;
  }
  if (mail->reason == ReturnReason::kAttempted) CHECK(told == ticket->mask);
  world->Note(ticket->message_id);
  world->Note(told);
  world->Note(static_cast<uint64_t>(world->now_ns_));
  if (left == 0 || world->options_.offer_again_ns == 0) return;
  ticket->mask = left;
  world->At(world->now_ns_ + world->options_.offer_again_ns, [this, mail] { world->Offer(mail); });
}

void ShardWorld::Shard::OnFetch(Ticket* ticket, uint32_t part, const Extent* extent) {
  TestMail* mail = world->MailOf(ticket);
  CHECK(mail->out && ticket->home == index);
  if (part > 0)
    CHECK(extent->offset == part * 4096 && extent->generation == ticket->message_id + 1);
  const int64_t delay_ns = world->random_.Between(0, world->options_.fetch_ns);
  world->At(world->now_ns_ + delay_ns, [this, mail, part] {
    const std::string& bytes = part == 0 ? mail->bytes : mail->extents.at(part - 1);
    ++mail->leases;
    post->Fetched(&mail->ticket, part,
                  Window{bytes.data(), static_cast<uint32_t>(bytes.size()), part});
  });
}

void ShardWorld::Shard::OnRelease(Ticket* ticket, const Window& window) {
  TestMail* mail = world->MailOf(ticket);
  CHECK(mail->leases > 0 && window);
  --mail->leases;
}

void ShardWorld::Shard::OnLane(const LaneNotice& notice) {
  if (notice.open) ++lanes_open;
  if (!notice.open) --lanes_open;
  directory[notice.key].lane_open = notice.open;
}

std::unique_ptr<DeliveryLink> ShardWorld::Shard::Connect(const LinkTarget& target,
                                                         smtp::DeliverySource* source) {
  return std::make_unique<ScriptedLink>(world, index, target.peer.ToString(), source);
}

void ShardWorld::OnPeerAccepted(const smtp::DeliveryRequest& request, size_t index,
                                const std::string& body, uint32_t shard) {
  TestMail* mail = mails_.at(std::stoul(std::string(request.prefix))).get();
  CHECK(body == mail->body);
  const std::string recipient(request.envelope.recipients[index]);
  const uint64_t bit = uint64_t{1} << std::stoul(recipient.substr(1));
  CHECK((mail->taken & bit) == 0);  // nothing is sent twice
  mail->taken |= bit;
  ++shards_[shard]->delivered;
  order.push_back(mail);
}

void ShardWorld::Turn(Shard* shard) {
  shard->wheel->Advance(now_ns_, 1000, [shard](uint8_t kind, uint64_t cookie) {
    if (kind == static_cast<uint8_t>(core::TimerKind::kObject)) {
      core::Timer::Fire(cookie);
    } else {
      shard->table->OnTicketTimer(reinterpret_cast<Ticket*>(static_cast<uintptr_t>(cookie)));
    }
  });
  shard->post->Drain();
  shard->post->Flush();
}

bool ShardWorld::Step(int64_t end_ns) {
  const uint32_t first = static_cast<uint32_t>(random_.Below(options_.shards));
  bool busy = false;
  for (uint32_t i = 0; i < options_.shards; ++i) {
    Shard* shard = shards_[(first + i) % options_.shards].get();
    if (!shard->post->HasMail() && shard->post->waiting() == 0 &&
        shard->wheel->NextDeadline() > now_ns_) {
      continue;
    }
    Turn(shard);
    busy = true;
  }
  if (busy) return true;
  int64_t next_ns = events_.empty() ? core::kNever : events_.top().at_ns;
  for (auto& shard : shards_) next_ns = std::min(next_ns, shard->wheel->NextDeadline());
  if (next_ns > end_ns) {
    now_ns_ = std::max(now_ns_, end_ns);
  } else {
    now_ns_ = std::max(now_ns_, next_ns);
  }
  for (auto& shard : shards_) shard->io.SetNow(now_ns_);
  if (next_ns > end_ns) return false;
  if (!events_.empty() && events_.top().at_ns <= now_ns_) {
    const std::function<void()> run = events_.top().run;
    events_.pop();
    run();
  }
  return true;
}

bool ShardWorld::RunUntil(const std::function<bool()>& done, int64_t limit_ns) {
  const int64_t end_ns = now_ns_ + limit_ns;
  while (!done()) {
    if (!Step(end_ns)) return done();
  }
  return true;
}

bool ShardWorld::RunUntilHome(int64_t limit_ns) {
  return RunUntil(
      [this] {
        for (size_t i = home_so_far_; i < mails_.size(); ++i) {
          if (mails_[i]->out) return false;
          if (options_.offer_again_ns == 0) home_so_far_ = i + 1;
        }
        return true;
      },
      limit_ns);
}

void ShardWorld::Reload(core::Rate rate, std::map<std::string, uint32_t> limits) {
  rate_ = rate;
  limits_ = std::move(limits);
  for (const auto& shard : shards_) shard->table->OnPoliciesChanged();
}

void ShardWorld::RunFor(int64_t ns) {
  RunUntil([] { return false; }, ns);
}

void ShardWorld::Stop() {
  for (auto& shard : shards_) shard->table->Close();
  CHECK(RunUntil(
      [this] {
        for (auto& shard : shards_) {
          if (!shard->table->closed() || shard->post->HasMail() || shard->post->waiting() > 0) {
            return false;
          }
        }
        return true;
      },
      core::kNsPerHour));
}

}  // namespace outbox::queue
