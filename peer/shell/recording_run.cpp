#include "peer/shell/recording_run.hpp"

#include "peer/shell/gateway.hpp"
#include "peer/shell/media_output.hpp"
#include "peer/shell/signals.hpp"
#include "peer/shell/statistics_json.hpp"

#include <algorithm>
#include <cstdio>
#include <thread>

namespace ppsp::peer {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds statistics_interval{1};
/// A line about the progress that often.
constexpr std::chrono::seconds progress_interval{5};
constexpr std::chrono::milliseconds poll_interval{20};
constexpr std::size_t piece_bytes = 256 * 1024;
/// To stdout, before statistics and the end of the time have their turn.
constexpr int pieces_per_step = 64;

void say(std::string const& sentence)
{
    std::fprintf(stderr, "ppsp-peer: %s\n", sentence.c_str());
}

std::string to_megabytes(std::uint64_t bytes)
{
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f MB", static_cast<double>(bytes) / 1e6);
    return text;
}

/// Lines of `--stats-json`, one a second.
class StatisticsLines {
public:
    [[nodiscard]] Result<void, std::string> open(std::string const& path)
    {
        path_ = path;
        if (path.empty()) {
            return {};
        }
        auto file = StatisticsFile::open(path);
        if (!file) {
            return failure(std::move(file.error()));
        }
        file_.emplace(*std::move(file));
        return {};
    }
    [[nodiscard]] Result<void, std::string> write_if_due(RecordingSession& session)
    {
        if (SteadyClock::now() < next_) {
            return {};
        }
        next_ += statistics_interval;
        return write(session);
    }
    [[nodiscard]] Result<void, std::string> write(RecordingSession& session)
    {
        if (file_ && !file_->write_line(session.statistics_json())) {
            return failure("cannot write statistics to " + path_);
        }
        return {};
    }

private:
    std::string path_;
    std::optional<StatisticsFile> file_;
    SteadyClock::time_point next_ = SteadyClock::now() + statistics_interval;
};

SteadyClock::time_point end_of(std::optional<std::uint32_t> seconds)
{
    return seconds ? SteadyClock::now() + std::chrono::seconds{*seconds}
                   : SteadyClock::time_point::max();
}

/// The gateway's view of a session.
class SessionReader final : public RecordingReader {
public:
    explicit SessionReader(RecordingSession& session) : session_(session) {}
    [[nodiscard]] std::optional<std::uint64_t> length() override
    {
        return session_.progress().length;
    }
    [[nodiscard]] ByteVector read(std::uint64_t position, std::size_t size) override
    {
        return session_.read(position, size);
    }
    void play_from(std::uint64_t position) override { session_.play_from(position); }

private:
    RecordingSession& session_;
};

/// Tells people how far it is, and how fast it goes.
class ProgressLines {
public:
    void tell_if_due(RecordingSession::Progress const& progress)
    {
        auto const now = SteadyClock::now();
        if (now < next_) {
            return;
        }
        next_ = now + progress_interval;
        double const seconds = std::chrono::duration<double>(progress_interval).count();
        std::uint64_t const rate = static_cast<std::uint64_t>(
            static_cast<double>(progress.held - std::exchange(told_, progress.held)) / seconds);
        std::string line = to_megabytes(progress.held);
        if (progress.length) {
            auto const percent = progress.held * 100 / std::max<std::uint64_t>(*progress.length, 1);
            line = std::to_string(percent) + " % of " + to_megabytes(*progress.length);
        }
        say(line + ", " + to_megabytes(rate) + "/s from " + std::to_string(progress.neighbours) +
            (progress.neighbours == 1 ? " peer" : " peers"));
    }

private:
    SteadyClock::time_point next_ = SteadyClock::now() + progress_interval;
    std::uint64_t told_ = 0;
};

std::string why_nothing_came(FetchRun const& run, RecordingSession& session,
                             RecordingSession::Progress const& progress)
{
    std::string const within = " within " + std::to_string(run.join_timeout.count()) + " s";
    if (progress.neighbours > 0) {
        return "the peers found did not send the recording" + within;
    }
    if (run.link.trackers.empty()) {
        return "no peer named in the link answered" + within;
    }
    std::string const tracker = "the tracker at " + run.link.trackers.front().front().at.text();
    auto const told = session.tracker_progress();
    if (!told.has_answered) {
        return tracker + " did not answer" + within;
    }
    if (told.peers_found == 0) {
        return "nobody has this recording; waited " + std::to_string(run.join_timeout.count()) +
               " s";
    }
    return "none of the peers that the tracker named answered" + within;
}

/// A transfer that ended before its end.
std::string how_much(RecordingSession::Progress const& progress, std::string const& output)
{
    std::string text = "ended with " + to_megabytes(progress.held);
    if (progress.length) {
        text += " of " + to_megabytes(*progress.length);
    }
    bool const is_kept = !output.empty() && output != "-" && progress.held > 0;
    return is_kept ? text + ", which are in " + output + ".part" : text;
}

/// A session with everything around it.
struct Fetching {
    FetchRun const& run;
    std::unique_ptr<RecordingSession> session;
    std::unique_ptr<SessionReader> reader;
    std::unique_ptr<Gateway> gateway;
    std::unique_ptr<MediaOutput> output; ///< stdout
    std::uint64_t written = 0;           ///< bytes, to `output`
    bool is_finished = false;            ///< the file has its name
    StatisticsLines statistics;
    ProgressLines lines;

    [[nodiscard]] Result<void, std::string> open();
    void print_joined() const;
    [[nodiscard]] Result<bool, std::string> step(SteadyClock::time_point give_up);
    [[nodiscard]] Result<bool, std::string> pass_on(RecordingSession::Progress const& progress);
};

Result<void, std::string> Fetching::open()
{
    bool const to_stdout = run.output == "-";
    RecordingSession::Options options;
    options.link = run.link;
    options.node = run.node;
    options.on_message = say;
    auto opened = RecordingSession::fetch(to_stdout ? std::string{} : run.output, options);
    if (!opened) {
        return failure(std::move(opened.error()));
    }
    session = *std::move(opened);
    if (to_stdout) {
        auto standard = MediaOutput::open("-", is_stop_requested);
        if (!standard) {
            return failure(std::move(standard.error()));
        }
        output = *std::move(standard);
        session->play_from(0);
    }
    if (run.gateway) {
        reader = std::make_unique<SessionReader>(*session);
        auto made = Gateway::open({*run.gateway,
                                   session->swarm(),
                                   [this] { return session->statistics_json(); },
                                   {},
                                   reader.get()});
        if (!made) {
            return failure(std::move(made.error()));
        }
        gateway = *std::move(made);
    }
    return statistics.open(run.statistics);
}

void Fetching::print_joined() const
{
    bool const is_stdout_taken = run.output == "-" || run.statistics == "-";
    std::string line = "ppsp-peer joined " + session->swarm() + " udp=" + session->udp_address();
    if (gateway) {
        line += " gateway=" + gateway->local_endpoint().text();
    }
    std::FILE* const stream = is_stdout_taken ? stderr : stdout;
    std::fprintf(stream, "%s\n", line.c_str());
    std::fflush(stream);
}

/// What is there in order goes to stdout; true once all of it went.
Result<bool, std::string> Fetching::pass_on(RecordingSession::Progress const& progress)
{
    for (int pieces = 0; pieces < pieces_per_step; ++pieces) {
        ByteVector const piece = session->read(written, piece_bytes);
        if (piece.empty()) {
            break;
        }
        if (auto const done = output->write(piece); !done) {
            return failure(done.error());
        }
        written += piece.size();
        session->play_from(written);
        if (is_stop_requested()) {
            break;
        }
    }
    return progress.length && written == *progress.length;
}

/// True when there is nothing left to do.
Result<bool, std::string> Fetching::step(SteadyClock::time_point give_up)
{
    auto const progress = session->progress();
    if (!progress.error.empty()) {
        return failure(progress.error);
    }
    if (progress.held == 0 && SteadyClock::now() > give_up) {
        return failure(why_nothing_came(run, *session, progress));
    }
    if (progress.is_whole() && !std::exchange(is_finished, true)) {
        if (auto const done = session->finish(); !done) {
            return failure(done.error());
        }
        say("all of " + to_megabytes(*progress.length) + " is there");
    }
    bool is_passed_on = true;
    if (output) {
        auto const passed = pass_on(progress);
        if (!passed) {
            return failure(passed.error());
        }
        is_passed_on = *passed;
    }
    if (!is_finished) {
        lines.tell_if_due(progress);
    }
    if (auto const written_line = statistics.write_if_due(*session); !written_line) {
        return failure(written_line.error());
    }
    return is_finished && is_passed_on && !gateway;
}

} // namespace

Result<void, std::string> run_seed(SeedRun const& run)
{
    auto const end = end_of(run.seconds);
    StatisticsLines statistics;
    if (auto opened = statistics.open(run.statistics); !opened) {
        return opened;
    }
    RecordingSession::Options options;
    if (run.tracker) {
        options.link.trackers = {{*run.tracker}};
    }
    options.node = run.node;
    options.hash_function = run.hash_function;
    options.on_message = say;
    auto next_line = SteadyClock::now() + statistics_interval;
    auto const on_progress = [&](std::uint64_t done, std::uint64_t all) {
        if (SteadyClock::now() >= next_line) {
            next_line += statistics_interval;
            say("hashing " + run.file + ": " + std::to_string(done * 100 / all) + " %");
        }
        return !is_stop_requested();
    };
    auto const opened = RecordingSession::seed(run.file, std::move(options), on_progress);
    if (!opened) {
        return opened.error().empty() ? Result<void, std::string>{} : failure(opened.error());
    }
    RecordingSession& session = **opened;
    std::FILE* const stream = run.statistics == "-" ? stderr : stdout;
    std::fprintf(stream, "%s\nudp=%s\n", session.link().c_str(), session.udp_address().c_str());
    std::fflush(stream);
    while (!is_stop_requested() && SteadyClock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
        auto const progress = session.progress();
        if (!progress.error.empty()) {
            return failure(progress.error);
        }
        if (auto written = statistics.write_if_due(session); !written) {
            return written;
        }
    }
    session.stop();
    return statistics.write(session);
}

Result<void, std::string> run_fetch(FetchRun const& run)
{
    auto const end = end_of(run.seconds);
    auto const give_up = SteadyClock::now() + run.join_timeout;
    Fetching fetching{run, nullptr, nullptr, nullptr, nullptr, 0, false, {}, {}};
    if (auto opened = fetching.open(); !opened) {
        return opened;
    }
    fetching.print_joined();
    Result<void, std::string> outcome;
    while (!is_stop_requested() && SteadyClock::now() < end) {
        auto const done = fetching.step(give_up);
        if (!done) {
            outcome = failure(done.error());
        }
        if (!done || *done) {
            break;
        }
        std::this_thread::sleep_for(poll_interval);
    }
    auto const progress = fetching.session->progress();
    if (outcome && !fetching.is_finished && !run.gateway) {
        outcome = failure(how_much(progress, run.output));
    }
    fetching.gateway.reset();
    fetching.session->stop();
    auto written = fetching.statistics.write(*fetching.session);
    return outcome ? written : outcome;
}

} // namespace ppsp::peer
