#include "peer/ingest/media_source.hpp"

#include "peer/ingest/item_queue.hpp"
#include "peer/ingest/pipeline.hpp"

#include <future>
#include <thread>
#include <utility>

namespace ppsp::ingest {
namespace {

/// Pause before an input that could not be opened is tried again.
constexpr auto retry_pause = std::chrono::milliseconds{300};
constexpr auto stop_patience = std::chrono::milliseconds{800};
/// A pipe whose writer is silent for this long is reported.
constexpr auto idle_report = std::chrono::seconds{3};

/// What the thread works on. It belongs to the thread and to the source, so that a thread stuck in
/// name resolution (which nothing interrupts) may outlive the source.
class Worker {
public:
    Worker(SourceOptions options, std::function<void()> on_ready)
        : options_(std::move(options)),
          queue_(MediaSource::queue_bytes_max, MediaSource::queue_items_max, std::move(on_ready)),
          pipeline_(options_, stop_,
                    [this](SourceItem item) { return queue_.push(std::move(item)); })
    {}

    void run()
    {
        try {
            run_sessions();
        } catch (std::exception const& error) {
            emit(SourceFailed{"input " + options_.input.name + ": " + error.what()});
        }
    }

    void stop()
    {
        stop_.request();
        queue_.close();
    }

    [[nodiscard]] ItemQueue& queue() noexcept { return queue_; }

private:
    enum class Next : std::uint8_t { again, over };

    bool emit(SourceItem item) { return queue_.push(std::move(item)); }

    void run_sessions()
    {
        quiet_ffmpeg();
        Timeline::Follow follow = Timeline::Follow::after_pause;
        while (!stop_.requested()) {
            auto input = Demuxer::open(options_.input, stop_);
            Next const next = input ? run_session(**input, follow) : not_opened(input.error());
            if (next == Next::over) {
                return;
            }
            follow = options_.loop && options_.input.kind == InputKind::file
                         ? Timeline::Follow::at_once
                         : Timeline::Follow::after_pause;
        }
    }

    /// A first failure is the user's to mend; later, or where somebody comes to us, we try again.
    /// What worked once is never given up: even our own port may be busy for a moment when a
    /// session follows another.
    Next not_opened(OpenError const& error)
    {
        if (error.stopped) {
            return Next::over;
        }
        bool const try_again = was_open_ || (error.may_pass && options_.input.resumes());
        if (!try_again || options_.input.kind == InputKind::file) {
            emit(SourceFailed{error.sentence});
            return Next::over;
        }
        if (std::exchange(last_sentence_, error.sentence) != error.sentence) {
            emit(SourceWarning{error.sentence});
        }
        return stop_.wait_for(retry_pause) ? Next::over : Next::again;
    }

    Next run_session(Demuxer& input, Timeline::Follow follow)
    {
        if (auto const begun = pipeline_.begin(input, follow); !begun) {
            emit(SourceFailed{begun.error()});
            return Next::over;
        }
        was_open_ = true;
        last_sentence_.clear();
        resumed();
        input.on_idle(idle_report, [this] { waiting("is silent"); });
        while (true) {
            auto packet = input.read();
            if (!packet) {
                return session_over(packet.error());
            }
            resumed();
            if (!pipeline_.push(input, std::move(*packet))) {
                return Next::over;
            }
        }
    }

    Next session_over(Demuxer::Ended why)
    {
        if (why == Demuxer::Ended::stopped) {
            return Next::over;
        }
        pipeline_.end_session();
        if (options_.input.kind == InputKind::file && options_.loop &&
            pipeline_.session_packets() > 0) {
            return Next::again;
        }
        bool const goes_on =
            options_.input.resumes() ||
            (options_.input.kind == InputKind::remote && why == Demuxer::Ended::lost);
        if (!goes_on) {
            pipeline_.finish();
            emit(SourceEnded{});
            return Next::over;
        }
        waiting(why == Demuxer::Ended::lost ? "went silent" : "ended");
        return Next::again;
    }

    void waiting(std::string const& what)
    {
        if (!std::exchange(is_waiting_, true)) {
            emit(SourceWaiting{"input " + options_.input.name + " " + what + "; waiting for it"});
        }
    }

    void resumed()
    {
        if (std::exchange(is_waiting_, false)) {
            emit(SourceResumed{});
        }
    }

    SourceOptions options_;
    StopSignal stop_;
    ItemQueue queue_;
    Pipeline pipeline_;
    bool was_open_ = false;
    bool is_waiting_ = false;
    std::string last_sentence_;
};

class ThreadedSource final : public MediaSource {
public:
    ThreadedSource(SourceOptions options, std::function<void()> on_ready)
        : worker_(std::make_shared<Worker>(std::move(options), std::move(on_ready)))
    {
        std::promise<void> done;
        done_ = done.get_future();
        thread_ = std::thread{[worker = worker_, done = std::move(done)]() mutable {
            worker->run();
            worker.reset();
            done.set_value();
        }};
    }
    ThreadedSource(ThreadedSource const&) = delete;
    ThreadedSource& operator=(ThreadedSource const&) = delete;
    ~ThreadedSource() override { stop(); }

    std::optional<SourceItem> poll() override { return worker_->queue().pop(); }
    std::optional<SourceItem> wait(std::chrono::milliseconds time) override
    {
        return worker_->queue().pop_within(time);
    }

    void stop() override
    {
        if (!thread_.joinable()) {
            return;
        }
        worker_->stop();
        if (done_.wait_for(stop_patience) == std::future_status::ready) {
            thread_.join();
        } else {
            thread_.detach();
        }
    }

private:
    std::shared_ptr<Worker> worker_;
    std::future<void> done_;
    std::thread thread_;
};

} // namespace

std::unique_ptr<MediaSource> start_source(SourceOptions options, std::function<void()> on_ready)
{
    return std::make_unique<ThreadedSource>(std::move(options), std::move(on_ready));
}

} // namespace ppsp::ingest
