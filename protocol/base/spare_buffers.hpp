#pragma once

#include "protocol/base/bytes.hpp"

#include <utility>

namespace ppsp {

/// Memory of datagrams that have left, for those that follow. Not thread-safe.
class SpareBuffers {
public:
    /// What leaves in two calls of the system; more would lie idle. 200 kB.
    static constexpr std::size_t count_max = 128;

    /// Empty, with room where a buffer was there.
    [[nodiscard]] ByteVector take()
    {
        if (buffers_.empty()) {
            return {};
        }
        ByteVector buffer = std::move(buffers_.back());
        buffers_.pop_back();
        return buffer;
    }
    void give(ByteVector buffer)
    {
        if (buffers_.size() < count_max && buffer.capacity() > 0) {
            buffer.clear();
            buffers_.push_back(std::move(buffer));
        }
    }
    [[nodiscard]] std::size_t size() const { return buffers_.size(); }

private:
    std::vector<ByteVector> buffers_;
};

/// From there, or nothing if there is none.
[[nodiscard]] inline ByteVector spare_buffer(SpareBuffers* buffers)
{
    return buffers == nullptr ? ByteVector{} : buffers->take();
}

} // namespace ppsp
