// What every test includes, parsed once for each preset.
#ifndef OUTBOX_CMAKE_PRECOMPILED_TEST_H_
#define OUTBOX_CMAKE_PRECOMPILED_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cmake/precompiled.h"

#endif  // OUTBOX_CMAKE_PRECOMPILED_TEST_H_
