#pragma once

#include "tests/peer/ts_stream.hpp"

namespace ppsp::test {

/// A source's stream for tests: real transport packets with a key frame every second.
class TestMedia {
public:
    TestMedia(std::uint32_t chunks_per_unit, std::uint32_t chunk_size)
        : unit_bytes_(std::size_t{chunks_per_unit} * chunk_size)
    {}
    /// The next unit; `random_access` tells whether a PAT of a key frame begins in it.
    ByteVector next_unit(bool key_frame, bool& random_access);

private:
    TsStream ts_;
    std::size_t unit_bytes_;
    ByteVector waiting_;
};

} // namespace ppsp::test
