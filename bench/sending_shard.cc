#include "bench/sending_shard.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "bench/sample_mail.h"
#include "core/hash.h"
#include "core/timer.h"

namespace outbox::bench {
namespace {

constexpr uint32_t kRetry = 900;
constexpr uint32_t kTimers = 1u << 20;
// Four times as many entries as sites: in a fuller table some find no room within the probes.
size_t SitesFor(uint32_t destinations) { return std::bit_ceil(64 + 4 * size_t{destinations}); }
constexpr uint16_t kPort = 25;

std::string KeyOf(uint32_t destination, bool one_site) {
  // The order of two hosts makes another destination; the set of them is the site.
  const uint32_t host = one_site ? 0 : destination;
  const std::string address = "10.0." + std::to_string(host / 256) + "." +
                              std::to_string(host % 256) + ":" + std::to_string(kPort);
  if (!one_site) return "via:" + address;
  std::string key = "via:" + address;
  for (uint32_t i = 0; i < destination; ++i) key += "," + address;
  return key;
}

}  // namespace

struct SendingShard::Link : public WillingLink {
  Link(SendingShard* owner, smtp::DeliverySource* source) : WillingLink(source), shard(owner) {
    ++shard->links_;
    OnDue();
  }
  ~Link() override {
    --shard->links_;
    if (due) std::erase(shard->due_, this);
  }
  void OnDue() override {
    if (!std::exchange(due, true)) shard->due_.push_back(this);
  }
  SendingShard* const shard;
  bool due = false;
};

SendingShard::SendingShard(uint32_t destinations, bool one_site)
    : wheel_(io_.now_ns(), kTimers), sites_(SitesFor(destinations)) {
  queue::OwnerContext context;
  context.io = &io_;
  context.wheel = &wheel_;
  context.random = &random_;
  context.post = &post_;
  context.sites = &sites_;
  context.links = this;
  context.policy_for = [one_site](std::string_view, const queue::SiteHosts& hosts) {
    queue::SitePolicy policy = queue::SiteOfHosts(hosts);
    if (one_site) policy.max_connections = 1;
    if (one_site) policy.hash = 1;
    return policy;
  };
  table_ = std::make_unique<queue::DestinationTable>(context);
  post_.SetHandlers(this, table_.get(), this);
  const std::string wire = SampleWire(4096);
  for (uint32_t i = 0; i < destinations; ++i) {
    auto entry = std::make_unique<queue::DirectoryEntry>();
    entry->key = KeyOf(i, one_site);
    entry->hash = core::Hash64(entry->key);
    queue::MetaBuilder meta;
    meta.Start(i + 1, io_.wall_ns(), 0, kSender, "192.0.2.1");
    meta.AddGroup(entry->key, "default", {&kRetry, 1}, {});
    meta.AddRecipient(kRecipient);
    meta.SetPrefix(kAddedHeader);
    meta.SetBody(wire.size(), 0);
    const std::span<const char> bytes = meta.Finish();
    records_.push_back(std::string(bytes.begin(), bytes.end()) + wire);
    directory_.push_back(std::move(entry));
  }
}

SendingShard::~SendingShard() {
  table_->Close();
  while (!table_->closed()) Turn();
  table_.reset();
  CHECK(out_ == 0 && lent_ == 0 && links_ == 0);
}

std::unique_ptr<queue::DeliveryLink> SendingShard::Connect(const queue::LinkTarget&,
                                                           smtp::DeliverySource* source) {
  ++connects_;
  return std::make_unique<Link>(this, source);
}

void SendingShard::Offer(queue::Ticket* ticket) {
  queue::DirectoryEntry* const entry = directory_[next_].get();
  ticket->message_id = next_;
  if (++next_ == directory_.size()) next_ = 0;
  queue::EnterState(ticket, queue::RecipientState::kReady);
  ticket->destination = entry;
  ticket->mask = 1;
  ticket->sender_hash = 1;
  ticket->size_bytes = 4096;
  ticket->retry_s = kRetry;
  ticket->deadline_ns = io_.now_ns() + core::kNsPerDay;
  ticket->window = Lend(*ticket);
  ++out_;
  post_.Offer(0, ticket);
}

queue::Window SendingShard::Lend(const queue::Ticket& ticket) {
  const std::string& record = records_[ticket.message_id];
  ++lent_;
  return {record.data(), static_cast<uint32_t>(record.size()), 0};
}

// It had to give its lease up while it waited for a connection.
void SendingShard::OnFetch(queue::Ticket* ticket, uint32_t part, const queue::Extent*) {
  CHECK(part == 0);
  post_.Fetched(ticket, part, Lend(*ticket));
}

void SendingShard::OnRelease(queue::Ticket*, const queue::Window& window) {
  CHECK(window && lent_ > 0);
  --lent_;
}

void SendingShard::OnReturn(queue::Ticket* ticket) {
  CHECK(ticket->result->delivered == ticket->mask && ticket->result->failed.empty());
  --out_;
}

void SendingShard::Turn() {
  io_.Pass(10 * core::kNsPerUs);
  wheel_.Advance(io_.now_ns(), UINT32_MAX, [this](uint8_t kind, uint64_t cookie) {
    CHECK(kind == static_cast<uint8_t>(core::TimerKind::kObject));
    core::Timer::Fire(cookie);
  });
  working_.swap(due_);
  for (Link* link : working_) {
    link->due = false;
    link->Work();  // may delete it
  }
  working_.clear();
  post_.Drain();
  post_.Flush();
}

void SendingShard::Send(uint64_t items, uint32_t together) {
  while (tickets_.size() < together) tickets_.push_back(std::make_unique<queue::Ticket>());
  while (items > 0) {
    const uint64_t now = std::min<uint64_t>(items, together);
    for (uint64_t i = 0; i < now; ++i) Offer(tickets_[i].get());
    items -= now;
    while (out_ > 0) Turn();
  }
}

}  // namespace outbox::bench
