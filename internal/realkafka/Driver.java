import java.io.*;
import java.lang.reflect.InvocationTargetException;
import java.net.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;

import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command line tools inside one JVM, because starting one for each costs more than most tools do.
 *
 * On standard input comes a line for each call: id, class, and the arguments after the standard input of the tool, the
 * fields parted by tabs and all but the first two in base64. On standard output goes a line for each that has ended:
 * id, exit code, standard output and standard error in base64. Calls run at the same time, each in a thread with its
 * own standard streams, which the threads that it starts inherit. When standard input ends, so does the JVM.
 *
 * With the arguments "broker", a properties file and what else kafka-storage format wants, it formats the file's
 * log.dirs and becomes a broker.
 */
public class Driver {
    /** What one call reads and writes; also the first exit code that it asked for. */
    static final class Call {
        final ByteArrayOutputStream out = new ByteArrayOutputStream(), err = new ByteArrayOutputStream();
        final PrintStream outPrint = new PrintStream(out, true, StandardCharsets.UTF_8);
        final PrintStream errPrint = new PrintStream(err, true, StandardCharsets.UTF_8);
        final InputStream in;
        final List<Runnable> hooks = Collections.synchronizedList(new ArrayList<>());
        volatile Integer code;
        volatile boolean mute;

        Call(byte[] input) { in = new ByteArrayInputStream(input); }
    }

    /** Unwinds a tool that has asked to exit. */
    static final class Exited extends Error {
        Exited() { super("exit", null, false, false); }
    }

    static final InheritableThreadLocal<Call> CURRENT = new InheritableThreadLocal<>();
    static final PrintStream OUT = System.out;

    public static void main(String[] args) throws Exception {
        if (args.length > 1 && args[0].equals("broker")) {
            List<String> format = new ArrayList<>(List.of("format", "-c"));
            format.addAll(Arrays.asList(args).subList(1, args.length));
            int code = kafka.tools.StorageTool.execute(format.toArray(new String[0]), System.out);
            if (code != 0) {
                System.exit(code);
            }
            endWithInput();
            kafka.Kafka.main(new String[] {args[1]});
            return;
        }
        InputStream requests = System.in;
        System.setIn(new CallInput());
        System.setOut(new PrintStream(new CallOutput(OUT, false), true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(new CallOutput(System.err, true), true, StandardCharsets.UTF_8));
        Exit.Procedure ended = (code, message) -> exit(code, message);
        Exit.setExitProcedure(ended);
        Exit.setHaltProcedure(ended);
        Exit.setShutdownHookAdder((name, hook) -> {
            Call call = CURRENT.get();
            if (call != null) {
                call.hooks.add(hook);
            }
        });
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(requests, StandardCharsets.UTF_8))) {
            for (String line; (line = lines.readLine()) != null; ) {
                String[] fields = line.split("\t", -1);
                Thread thread = new Thread(() -> serve(fields), "call " + fields[0]);
                thread.setDaemon(true);
                thread.start();
            }
        }
        Runtime.getRuntime().halt(0);
    }

    /** A broker whose starter is gone ends too, on every system. */
    static void endWithInput() {
        Thread thread = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (IOException gone) { }
            Runtime.getRuntime().halt(0);
        }, "end with input");
        thread.setDaemon(true);
        thread.start();
    }

    static void serve(String[] fields) {
        byte[][] decoded = new byte[fields.length][];
        for (int i = 2; i < fields.length; i++) {
            decoded[i] = Base64.getDecoder().decode(fields[i]);
        }
        Call call = new Call(decoded[2]);
        String[] args = new String[fields.length - 3];
        for (int i = 0; i < args.length; i++) {
            args[i] = new String(decoded[i + 3], StandardCharsets.UTF_8);
        }
        CURRENT.set(call);
        run(call, fields[1], args);
        call.outPrint.flush();
        call.errPrint.flush();
        Base64.Encoder base64 = Base64.getEncoder();
        String answer = fields[0] + "\t" + (call.code == null ? 0 : call.code)
            + "\t" + base64.encodeToString(call.out.toByteArray()) + "\t" + base64.encodeToString(call.err.toByteArray());
        synchronized (OUT) {
            OUT.println(answer);
            OUT.flush();
        }
    }

    static void run(Call call, String name, String[] args) {
        try {
            ClassLoader fresh = new Fresh();
            Thread.currentThread().setContextClassLoader(fresh);
            fresh.loadClass(name).getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException wrapped) {
            Throwable thrown = wrapped.getCause();
            if (!(thrown instanceof Exited)) {
                thrown.printStackTrace(call.errPrint);
                call.code = call.code == null ? Integer.valueOf(1) : call.code;
            }
        } catch (Throwable thrown) {
            thrown.printStackTrace(call.errPrint);
            call.code = call.code == null ? Integer.valueOf(1) : call.code;
        }
        call.mute = false;
        for (Runnable hook : call.hooks.toArray(new Runnable[0])) {
            try {
                hook.run();
            } catch (Throwable ignored) { }
        }
    }

    /** The first exit counts; what a tool says while it catches our way of stopping it is not heard. */
    static void exit(int code, String message) {
        Call call = CURRENT.get();
        if (call == null) {
            throw new Exited();
        }
        if (call.code == null) {
            if (message != null) {
                call.errPrint.println(message);
            }
            call.code = code;
            call.mute = true;
        }
        throw new Exited();
    }

    /** Loads the tools' own classes anew for each call: some keep counts in static fields. */
    static final class Fresh extends URLClassLoader {
        Fresh() { super(tools(), Driver.class.getClassLoader()); }

        static URL[] tools() {
            return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(p -> Path.of(p).getFileName().toString().startsWith("kafka-tools-"))
                .map(p -> {
                    try {
                        return Path.of(p).toUri().toURL();
                    } catch (MalformedURLException e) {
                        throw new IllegalStateException(e);
                    }
                }).toArray(URL[]::new);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (name.startsWith("org.apache.kafka.tools.")) {
                synchronized (getClassLoadingLock(name)) {
                    Class<?> loaded = findLoadedClass(name);
                    if (loaded == null) {
                        try {
                            loaded = findClass(name);
                        } catch (ClassNotFoundException elsewhere) {
                            return super.loadClass(name, resolve);
                        }
                    }
                    return loaded;
                }
            }
            return super.loadClass(name, resolve);
        }
    }

    static final class CallInput extends InputStream {
        @Override
        public int read() throws IOException {
            Call call = CURRENT.get();
            return call == null ? -1 : call.in.read();
        }

        @Override
        public int read(byte[] b, int off, int len) throws IOException {
            Call call = CURRENT.get();
            return call == null ? -1 : call.in.read(b, off, len);
        }
    }

    static final class CallOutput extends OutputStream {
        final OutputStream otherwise;
        final boolean error;

        CallOutput(OutputStream otherwise, boolean error) {
            this.otherwise = otherwise;
            this.error = error;
        }

        @Override
        public void write(int b) throws IOException { write(new byte[] {(byte) b}, 0, 1); }

        @Override
        public void write(byte[] b, int off, int len) throws IOException {
            Call call = CURRENT.get();
            if (call == null) {
                if (error) {
                    otherwise.write(b, off, len);
                }
                return;
            }
            if (!call.mute) {
                (error ? call.errPrint : call.outPrint).write(b, off, len);
            }
        }

        @Override
        public void flush() throws IOException {
            if (CURRENT.get() == null && error) {
                otherwise.flush();
            }
        }
    }
}
