#include "queue/signing_line.h"

#include <utility>

#include "core/check.h"
#include "core/limits.h"
#include "dkim/author.h"
#include "queue/shard_log.h"

namespace outbox::queue {
namespace {

// A longer body is hashed on the helper thread, whatever the key.
constexpr size_t kQuickBodyBytes = size_t{32} << 10;

}  // namespace

SigningLine::SigningLine(io::Io* io, ShardLog* log) : io_(io), log_(log) {
  op_.Bind<&SigningLine::OnWorked>(this);
}

std::unique_ptr<dkim::MessageSigner> SigningLine::Choose(
    const std::shared_ptr<const dkim::SigningTable>& table, std::string_view header,
    std::string_view sender, const char** why_not) {
  *why_not = nullptr;
  const dkim::AuthorKind kind = dkim::FindAuthor(header, &domain_);
  if (table->Select(domain_).count == 0) {
    dkim::FindDomain(sender, &domain_);
    if (table->Select(domain_).count == 0) return nullptr;
  }
  if (kind == dkim::AuthorKind::kNone) {
    *why_not = "it has no From field";
  } else if (kind == dkim::AuthorKind::kSeveral) {
    *why_not = "it has more than one From field";
  } else {
    return std::make_unique<dkim::MessageSigner>(table, domain_, header);
  }
  return nullptr;
}

bool SigningLine::Sign(SigningJob* job) {
  CHECK(job->signer != nullptr && !job->link.linked());
  job->now_wall_ns = io_->wall_ns();
  if (!job->signer->slow() && job->body.size() <= kQuickBodyBytes) {
    Work(job);
    Count(*job);
    return true;
  }
  waiting_.PushBack(job);
  if (!op_.in_flight && at_work_.empty()) Start();
  return false;
}

// On the helper thread, or where it is quick.
void SigningLine::Work(SigningJob* job) {
  job->signer->AppendBody(job->body);
  job->fields.clear();
  job->status = job->signer->Sign(job->added, job->now_wall_ns, &job->fields);
}

void SigningLine::Start() {
  for (uint32_t i = 0; i < core::kDkimJobMessages && !waiting_.empty(); ++i) {
    at_work_.PushBack(waiting_.PopFront());
  }
  io_->RunOnHelper(&op_, [this] {
    for (SigningJob* job = at_work_.front(); job != nullptr; job = at_work_.Next(job)) Work(job);
    return 0;
  });
}

void SigningLine::OnWorked(const io::OpResult&) {
  // Who is done may put another message in line; it goes with the next ones.
  while (SigningJob* job = at_work_.PopFront()) {
    Count(*job);
    job->done(job);
  }
  if (!op_.in_flight && !waiting_.empty()) Start();
}

void SigningLine::Count(const SigningJob& job) {
  if (!job.fields.empty()) log_->metrics().signed_total.Add();
  if (!job.status.ok()) NotSigned(job.id, job.status.message());
}

void SigningLine::NotSigned(uint64_t id, std::string_view why) {
  log_->metrics().not_signed_total.Add();
  log_->NotSigned(id, why);
}

}  // namespace outbox::queue
