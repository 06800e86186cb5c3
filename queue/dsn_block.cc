#include "queue/dsn_block.h"

#include <algorithm>

#include "core/check.h"
#include "core/limits.h"

namespace outbox::queue {
namespace {

constexpr size_t kEnvidBytesMax = 3 * smtp::kEnvidOctetsMax;  // every octet in hexadecimal

bool IsWritable(std::string_view value, size_t bytes_max) {
  return value.size() <= bytes_max &&
         std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

bool DsnBlock::IsOne(std::string_view bytes, uint32_t recipients) {
  if (bytes.size() < kHead) return false;
  const DsnBlock block(bytes);
  const size_t envid = Get<uint16_t>(bytes.data() + 2);
  if (block.ret() > smtp::DsnReturn::kHeaders || envid > bytes.size() - kHead ||
      !IsWritable(block.envid(), kEnvidBytesMax)) {
    return false;
  }
  size_t at = kHead + envid;
  uint32_t next = 0;  // the lowest index that may come
  for (uint32_t left = Get<uint32_t>(bytes.data() + 4); left > 0; --left) {
    if (bytes.size() - at < kEntryHead) return false;
    const char* p = bytes.data() + at;
    const uint32_t index = Get<uint16_t>(p);
    const size_t orcpt = Get<uint16_t>(p + 4);
    at += kEntryHead;
    if (index < next || index >= recipients || !smtp::IsNotify(Get<uint8_t>(p + 2)) ||
        orcpt > bytes.size() - at ||
        !IsWritable(bytes.substr(at, orcpt), core::kSmtpCommandLineMax)) {
      return false;
    }
    at += orcpt;
    next = index + 1;
  }
  return at == bytes.size();
}

smtp::RecipientDsn DsnBlock::Of(uint32_t index) const {
  smtp::RecipientDsn found;
  ForEach([&](uint32_t one, const smtp::RecipientDsn& dsn) {
    if (one == index) found = dsn;
  });
  return found;
}

void DsnBlockBuilder::Start(smtp::DsnReturn ret, std::string_view envid) {
  CHECK(envid.size() <= kEnvidBytesMax);
  out_.clear();
  any_ = ret != smtp::DsnReturn::kUnspecified || !envid.empty();
  wants_success_ = false;
  queue::Add<uint16_t>(&out_, static_cast<uint8_t>(ret));
  queue::Add<uint16_t>(&out_, static_cast<uint16_t>(envid.size()));
  queue::Add<uint32_t>(&out_, 0);
  out_.append(envid);
}

void DsnBlockBuilder::Add(uint16_t index, const smtp::RecipientDsn& dsn) {
  if (dsn.empty()) return;
  CHECK(dsn.orcpt.size() <= core::kSmtpCommandLineMax && smtp::IsNotify(dsn.notify));
  any_ = true;
  wants_success_ = wants_success_ || (dsn.notify & smtp::kNotifySuccess) != 0;
  Put<uint32_t>(&out_[4], Get<uint32_t>(&out_[4]) + 1);
  queue::Add<uint16_t>(&out_, index);
  queue::Add<uint16_t>(&out_, dsn.notify);
  queue::Add<uint16_t>(&out_, static_cast<uint16_t>(dsn.orcpt.size()));
  out_.append(dsn.orcpt);
}

const std::string& DsnBlockBuilder::Finish() {
  if (!any_) out_.clear();
  return out_;
}

}  // namespace outbox::queue
