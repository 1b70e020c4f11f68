import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.HexFormat;
import java.util.logging.Level;
import java.util.logging.Logger;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;

/** An API on Tomcat that says which servlet it served, by X-Area, and by which path, in X-Path (hexadecimal). */
public class TomcatServer {
  static class Say extends HttpServlet {
    private final String area;

    Say(String area) {
      this.area = area;
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) {
      String info = request.getPathInfo();
      String path = request.getServletPath() + (info == null ? "" : info);
      response.setHeader("X-Area", area);
      response.setHeader("X-Path", HexFormat.of().formatHex(path.getBytes(StandardCharsets.UTF_8)));
    }
  }

  @SuppressWarnings("deprecation")
  public static void main(String[] args) throws Exception {
    Logger.getLogger("").setLevel(Level.SEVERE);
    File dir = Files.createTempDirectory(new File(args[0]).toPath(), "tomcat").toFile();
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(dir.getPath());
    tomcat.setPort(0);
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    tomcat.getConnector().setProperty("maxKeepAliveRequests", "-1");
    Context context = tomcat.addContext("", dir.getPath());
    for (String area : new String[] {"/svc/admin", "/svc", ""}) {
      Tomcat.addServlet(context, "area" + area, new Say(area));
      context.addServletMappingDecoded(area + "/*", "area" + area);
    }
    tomcat.start();
    System.out.println("{\"ports\":[" + tomcat.getConnector().getLocalPort() + "]}");
    while (System.in.read() >= 0) {} // until whoever started this has ended
    System.exit(0);
  }
}
