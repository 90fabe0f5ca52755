#pragma once

#include "protocol/base/time.hpp"

#include <algorithm>
#include <cstddef>

namespace ppsp::peer {

/// How fast one storage server answers, and whether it is worth asking.
class StorageHealth {
public:
    /// Who fails is left alone for that long, twice as long after every failure in a row.
    static constexpr Duration pause_min = std::chrono::milliseconds{500};
    static constexpr Duration pause_max = std::chrono::seconds{10};
    /// The same where no other server works.
    static constexpr Duration pause_max_last = std::chrono::milliseconds{2500};
    /// Who sends wrong bytes, and twice as long every time.
    static constexpr Duration lie_pause = std::chrono::seconds{60};
    static constexpr Duration lie_pause_max = std::chrono::minutes{10};

    /// A whole answer of any status that took this long from asking.
    void on_answer(Duration took, std::size_t bytes);
    /// No answer, a refusal, or an old one to what was asked at `asked`. What was asked before the
    /// last failure was known is the same failure. `others_work` if there is another one to ask.
    void on_failure(TimePoint now, TimePoint asked, bool others_work = true);
    /// No answer within the time given: the server may just be far away.
    void on_timeout(Duration waited);
    /// Bytes that the channel's key did not sign; counted as failures are.
    void on_lie(TimePoint now, TimePoint asked);
    /// It answered to a probe.
    void on_probe() { on_probation_ = false; }
    /// It gave units that were asked for.
    void on_success()
    {
        failures_ = 0;
        on_probation_ = false;
        is_reliable_ = true;
    }

    /// Nobody else works any more: what it failed in is tried again at once, lies stay lies.
    void on_needed(TimePoint now) { failed_until_ = std::min(failed_until_, now); }

    [[nodiscard]] bool usable(TimePoint now) const
    {
        return now >= failed_until_ && now >= lied_until_;
    }
    /// It failed and has not given anything since: nothing that matters is asked of it if there is
    /// another one.
    [[nodiscard]] bool on_probation() const { return on_probation_; }
    /// It has given units since it failed, if ever it did.
    [[nodiscard]] bool is_reliable() const { return is_reliable_; }
    [[nodiscard]] bool measured() const { return measured_; }
    /// When `bytes` are usually here, from asking.
    [[nodiscard]] Duration expected(std::size_t bytes) const;
    /// The time that nearly all answers keep: the mean, and four mean deviations (as RFC 6298 §2).
    [[nodiscard]] Duration safe(std::size_t bytes) const
    {
        return expected(bytes) + 4 * deviation_;
    }

private:
    bool measured_ = false;
    /// Of a short answer; before there was any answer, that of a server on the same continent.
    Duration latency_ = std::chrono::milliseconds{100};
    Duration deviation_ = std::chrono::milliseconds{25};
    double bytes_per_second_ = 1e6;
    unsigned failures_ = 0;
    unsigned lies_ = 0;
    TimePoint failed_at_{};
    TimePoint lied_at_{};
    bool on_probation_ = false;
    bool is_reliable_ = true;
    TimePoint failed_until_{};
    TimePoint lied_until_{};
};

} // namespace ppsp::peer
