#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

/// What `ppsp-bench` measures with.
namespace ppsp::bench {

/// One round of a row.
struct Sample {
    double seconds = 0;
    double cpu_seconds = 0; ///< of the process, kernel included
    std::uint64_t bytes = 0;
    std::string note = {}; ///< what else there is to say

    [[nodiscard]] double mb_per_second() const
    {
        return static_cast<double>(bytes) / 1e6 / seconds;
    }
    [[nodiscard]] double cpu_seconds_per_gb() const
    {
        return cpu_seconds * 1e9 / static_cast<double>(bytes);
    }
};

struct Row {
    std::string name;
    std::string about;
    std::string floor; ///< row that it is compared with; empty = is one itself
    /// Works for about so many seconds; no bytes = it did not work, the note says why.
    std::function<Sample(double seconds)> run;
};

[[nodiscard]] std::vector<Row> codec_rows();
[[nodiscard]] std::vector<Row> crypto_rows();
[[nodiscard]] std::vector<Row> engine_rows();
[[nodiscard]] std::vector<Row> socket_rows();
[[nodiscard]] std::vector<Row> node_rows();
[[nodiscard]] std::vector<Row> requests_rows();
[[nodiscard]] std::vector<Row> transfer_rows();
[[nodiscard]] std::vector<Row> fetch_rows();
[[nodiscard]] std::vector<Row> flood_rows();

class StopWatch {
public:
    [[nodiscard]] double seconds() const
    {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
    }
    [[nodiscard]] Sample stop(std::uint64_t bytes) const
    {
        return {seconds(), cpu() - cpu_begun_, bytes};
    }

private:
    [[nodiscard]] static double cpu()
    {
        timespec time{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
    }

    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    double cpu_begun_ = cpu();
};

/// Repeats `step`, which tells the bytes of media it worked on.
template <typename Step>
[[nodiscard]] Sample repeat(double seconds, Step step)
{
    StopWatch const watch;
    std::uint64_t bytes = 0;
    do {
        bytes += step();
    } while (watch.seconds() < seconds);
    return watch.stop(bytes);
}

/// Keeps the compiler from leaving out what makes `value`.
template <typename T>
void keep(T const& value)
{
    asm volatile("" : : "g"(&value) : "memory");
}

inline constexpr std::uint32_t chunk_size = 1024;
inline constexpr std::uint32_t chunks_per_unit = 32;
/// A DATA message with its channel: 4 + 1 + 8 + 8 bytes before the chunk.
inline constexpr std::size_t data_datagram_size = 21 + chunk_size;

} // namespace ppsp::bench
