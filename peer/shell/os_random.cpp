#include "peer/shell/os_random.hpp"

#include "protocol/base/assert.hpp"

#include <cerrno>
#include <sys/random.h>

namespace ppsp::peer {

void fill_with_os_random(MutableBytes out)
{
    while (!out.empty()) {
        ssize_t const count = ::getrandom(out.data(), out.size(), 0);
        if (count < 0) {
            // Guessable channel ids would be worse than no service (RFC 7574 §12.1).
            PPSP_ASSERT(errno == EINTR);
            continue;
        }
        out = out.subspan(static_cast<std::size_t>(count));
    }
}

std::string random_hex(std::size_t bytes)
{
    ByteVector random(bytes);
    fill_with_os_random(random);
    return to_hex(random);
}

std::uint64_t OsRandom::next()
{
    if (left_ == 0) {
        fill_with_os_random({reinterpret_cast<std::uint8_t*>(stock_.data()), sizeof(stock_)});
        left_ = stock_.size();
    }
    --left_;
    return stock_[left_];
}

} // namespace ppsp::peer
