#pragma once

#include "peer/engine/io.hpp"
#include "protocol/base/bytes.hpp"

#include <array>

namespace ppsp::peer {

/// Random bytes of the operating system; the program ends if there are none.
void fill_with_os_random(MutableBytes out);

/// `bytes` random bytes in hex: transaction ids, peer ids.
[[nodiscard]] std::string random_hex(std::size_t bytes);

/// The operating system's randomness, fetched a page at a time.
class OsRandom final : public RandomSource {
public:
    [[nodiscard]] std::uint64_t next() override;

private:
    std::array<std::uint64_t, 64> stock_{};
    std::size_t left_ = 0;
};

} // namespace ppsp::peer
