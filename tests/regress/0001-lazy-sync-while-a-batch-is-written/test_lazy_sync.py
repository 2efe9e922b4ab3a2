"""Big messages from several clients at once: no process may die (see WHY)."""
import smtplib
import ssl
import threading


def submit(server, failures):
    message = ("From: <a@mail.example.org>\r\nSubject: big\r\n\r\n" + ("x" * 70 + "\r\n") * 14000).encode()
    context = ssl.create_default_context(cafile=str(server.ca))
    context.check_hostname = False      # the name is not what this test is about
    try:
        with smtplib.SMTP_SSL("127.0.0.1", server.submissions, context=context, timeout=60) as smtp:
            smtp.login(server.login, server.key)
            for _ in range(12):
                smtp.sendmail("a@mail.example.org", ["b@example.net"], message)
    except (OSError, smtplib.SMTPException) as error:
        failures.append(error)


def test_no_process_dies_under_big_messages(make_server):
    server = make_server(config="").start()
    server.add_key()
    failures = []
    threads = [threading.Thread(target=submit, args=(server, failures)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert not server.events("child-ended")
    assert server.stop() == 0
