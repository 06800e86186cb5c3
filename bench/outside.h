// Outside: what a count leaves out: the work of peers and of the fixture itself, in the middle of a
// counted run.
#ifndef OUTBOX_BENCH_OUTSIDE_H_
#define OUTBOX_BENCH_OUTSIDE_H_

// A name for callgrind's options (bench/instructions): while it runs nothing is counted.
extern "C" void OutboxOutside(void (*work)(void*), void* argument);

namespace outbox::bench {

// True while such work is done.
bool IsOutside();

template <typename Work>
void Outside(Work&& work) {
  OutboxOutside([](void* argument) { (*static_cast<Work*>(argument))(); }, &work);
}

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_OUTSIDE_H_
