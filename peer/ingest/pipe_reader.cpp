#include "peer/ingest/pipe_reader.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <new>

namespace ppsp::ingest {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{32} << 10;
constexpr int poll_millis = 100;

} // namespace

PipeReader::PipeReader(std::string const& path, Interrupt const& interrupt)
    : interrupt_(&interrupt), descriptor_(STDIN_FILENO), owns_descriptor_(!path.empty())
{
    if (owns_descriptor_) {
        // Open for writing too: the open does not wait for a writer, and the pipe does not end when
        // one leaves.
        descriptor_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        error_ = descriptor_ < 0 ? errno : 0;
    }
    auto* const buffer = static_cast<unsigned char*>(av_malloc(buffer_bytes));
    context_ = avio_alloc_context(buffer, static_cast<int>(buffer_bytes), 0, this,
                                  &PipeReader::read, nullptr, nullptr);
    if (context_ == nullptr) {
        throw std::bad_alloc{};
    }
}

PipeReader::~PipeReader()
{
    av_freep(&context_->buffer);
    avio_context_free(&context_);
    if (owns_descriptor_ && descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

void PipeReader::on_idle(Interrupt::Time::duration idle, std::function<void()> report)
{
    idle_ = idle;
    report_idle_ = std::move(report);
}

int PipeReader::read(void* self, std::uint8_t* buffer, int size)
{
    return static_cast<PipeReader*>(self)->read_some(buffer, size);
}

int PipeReader::read_some(std::uint8_t* buffer, int size)
{
    auto const since = Interrupt::Time::now();
    bool reported = false;
    while (!interrupt_->must_return()) {
        pollfd wanted{.fd = descriptor_, .events = POLLIN, .revents = 0};
        int const ready = ::poll(&wanted, 1, poll_millis);
        if (ready < 0 && errno != EINTR) {
            return AVERROR(errno);
        }
        if (ready > 0) {
            ssize_t const count = ::read(descriptor_, buffer, static_cast<std::size_t>(size));
            if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
                continue;
            }
            return count > 0 ? static_cast<int>(count) : count < 0 ? AVERROR(errno) : AVERROR_EOF;
        }
        if (report_idle_ && !reported && Interrupt::Time::now() - since > idle_) {
            reported = true;
            report_idle_();
        }
    }
    return AVERROR_EXIT;
}

} // namespace ppsp::ingest
